"""A gateway under churn, for as long as one likes: clients that come, finish, break off and leave while they
wait, and limits that change all the time. At every rest nothing may be held, all must be accounted for, and
memory must not have grown.
"""

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from benchmarks.scale.child import child
from benchmarks.scale.trial import Trial, trial

GROWTH_RATIO = 0.03
"""Of memory over the last two thirds: what a soak may show without being called growth."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What the gateway was like when nobody asked. at_s: since the start; ended: requests since the last."""

    at_s: float
    ended: int
    rss_mb: float
    files: int


@dataclass(slots=True)
class Soak:
    """rests: one after another; how: requests by what their client did and saw; changes: of the limits;
    faults: sentences, none where all is well.
    """

    rests: list[Rest] = field(default_factory=list)
    how: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    faults: list[str] = field(default_factory=list)

    def growth_mb(self) -> float:
        """Memory gained over the last two thirds of the rests, by least squares."""
        rests = self.rests[len(self.rests) // 3 :]
        if len(rests) < 3:
            return 0.0
        at = [rest.at_s for rest in rests]
        mid_s, mid_mb = sum(at) / len(at), sum(rest.rss_mb for rest in rests) / len(rests)
        slope = sum((rest.at_s - mid_s) * (rest.rss_mb - mid_mb) for rest in rests)
        return slope / sum((when - mid_s) ** 2 for when in at) * (at[-1] - at[0])

    def judge(self) -> None:
        """Adds growth to the faults."""
        if self.rests and self.growth_mb() > GROWTH_RATIO * self.rests[-1].rss_mb:
            self.faults.append(f"memory grew by {self.growth_mb():.1f} MB in the last two thirds")

    def text(self) -> str:
        """In a few sentences."""
        first, last = self.rests[0], self.rests[-1]
        kinds = Counter(how.partition(":")[0] for how in self.how.elements())
        told = ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common())
        well = "No slot was held at any rest, and every request is accounted for."
        return (
            f"{last.at_s:.0f} s, {sum(self.how.values()):,} requests ({told}), {self.changes} changes of the "
            f"limits, {len(self.rests)} rests: {first.rss_mb:.1f} MB at first, {last.rss_mb:.1f} MB at "
            f"last, {self.growth_mb():+.2f} MB over the last two thirds; {first.files} and {last.files} open "
            f"files. {' '.join(self.faults) or well}"
        )

    def values(self) -> dict[str, Any]:
        """As JSON."""
        rests = [[rest.at_s, rest.ended, rest.rss_mb, rest.files] for rest in self.rests]
        return {"rests": rests, "how": dict(self.how), "changes": self.changes, "faults": self.faults}


def soak(seconds: float, clients: int, rest_every_s: float, seed: int = 1) -> Soak:
    """Runs it. Raises RuntimeError where the gateway does not come to rest."""
    found, random = Soak(), Random(seed)
    with (
        trial(max_active=64, queue_max=100, queue_timeout_s=2.0, keep_alive_s=5, body_timeout_s=2) as running,
        child("benchmarks.scale.churn", running.port, clients) as churn,
    ):
        started_s = time.monotonic()
        while (at_s := time.monotonic() - started_s) < seconds:
            until_s = min(at_s + rest_every_s, seconds)
            while time.monotonic() - started_s < until_s:
                running.limits(**drawn_limits(random))
                found.changes += 1
                time.sleep(min(0.5, rest_every_s / 4))
            churn.ask("rest")
            told = churn.ask("report")
            found.how.update(told["how"])
            rest = at_rest(running, found.faults, time.monotonic() - started_s, told["ended"])
            found.rests.append(rest)
            print(
                f"{rest.at_s:6.0f} s: {rest.ended:,} requests, {rest.rss_mb:.1f} MB, {rest.files} files",
                file=sys.stderr,
            )
            churn.ask("go")
    found.judge()
    return found


def drawn_limits(random: Random) -> dict[str, object]:
    """Any limits that are allowed."""
    return {
        "max_active": random.choice((1, 4, 16, 64, 200)),
        "queue_mode": random.choice(("queue", "queue", "queue", "reject")),
        "queue_max": random.choice((0, 3, 50, 500)),
        "queue_timeout_s": random.choice((0.05, 0.5, 5.0)),
        "queue_order": random.choice(("fifo", "lifo")),
    }


def at_rest(running: Trial, faults: list[str], at_s: float, ended: int) -> Rest:
    """Waits until nothing runs, and looks at what is left."""
    running.until(lambda state: state["in_flight"] == 0, "at rest", 30.0)
    state = running.state()
    held = {name: state[name] for name in ("active", "running", "queued", "in_flight") if state[name]}
    if held:
        faults.append(f"At {at_s:.0f} s slots were held by nobody: {held}.")
    counted = sum(state["outcomes"].values())
    if state["arrived"] != counted:
        faults.append(f"At {at_s:.0f} s {state['arrived']} requests had come and {counted} were counted.")
    if state["outcomes"]["internal"]:
        faults.append(f"At {at_s:.0f} s {state['outcomes']['internal']} had ended with an internal error.")
    return Rest(at_s, ended, running.rss_bytes() / 1e6, running.tree.num_fds())
