"""The arrival plan: every request of a run, decided before it starts, seeded, hashed and stored.

A plan is data. `make` draws it, `Plan.save`/`load` keep it as one JSON file (columns, not rows),
`Plan.share` deals it to workers so that the union of the shares is the plan, whatever their number.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from loadtests.bounds import WrongValueError, wrong
from loadtests.bulk import no_collection
from loadtests.planning import causal, columns, draws, load_class, mixed
from loadtests.planning.arrival import Arrival
from loadtests.planning.columns import COOL_DOWN, PHASES, Columns, arrivals_of
from loadtests.planning.header import REQUESTS_PER_SESSION, Header, Param
from loadtests.planning.mix import Mix
from loadtests.planning.plan_bounds import PLAN_BOUNDS, check_window
from loadtests.planning.scenarios import SCENARIOS, Shape, used
from loadtests.planning.session_shape import SessionShape

SCHEMA_VERSION = 1
CLOSED_POOL = (
    4096  # a closed run takes its requests from this pool, round and round, each time with a new prompt
)


class Share(NamedTuple):
    """What one of several processes sends of a plan."""

    arrivals: tuple[Arrival, ...]
    """Open loop: its arrivals, ascending in `due_s`."""
    users: range
    """Closed loop: the numbers of its users."""


@dataclass(frozen=True)
class Plan:
    """Header and arrivals, ascending in `due_s`."""

    header: Header
    arrivals: tuple[Arrival, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.arrivals)

    @property
    def duration_s(self) -> float:
        """Length of warm-up and measured window together: what is due later is not measured, or follows an
        answer."""
        return self.header.warm_up_s + self.header.measure_s

    @property
    def last_due_s(self) -> float:
        """When the last request is due, if answers took no time; no less than `duration_s`."""
        return max(self.duration_s, self.arrivals[-1].due_s if self.arrivals else 0.0)

    @cached_property
    def causal(self) -> bool:
        """Whether a request awaits an answer."""
        return causal.follows(self.arrivals)

    @cached_property
    def hash(self) -> str:
        """sha256 (hex) over the canonical JSON of header and arrivals; equal plans have equal hashes."""
        return hashlib.sha256(orjson.dumps(self._document(), option=orjson.OPT_SORT_KEYS)).hexdigest()

    @property
    def due_s(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Due times in seconds, shape (n,)."""
        return np.array([a.due_s for a in self.arrivals])

    def phase_s(self, phase: str) -> tuple[float, float]:
        """Start and end of a phase in seconds."""
        warm_up = self.header.warm_up_s
        cool_down = self.duration_s, self.duration_s + self.header.warm_up_s
        return {"warm_up": (0.0, warm_up), "measure": (warm_up, self.duration_s), COOL_DOWN: cool_down}[phase]

    def offered(self, phase: str) -> int:
        """Number of requests due in the phase; those of sessions where these begin in it."""
        return sum(1 for a in self.arrivals if a.phase == phase)

    def share(self, place: int = 0, count: int = 1) -> Share:
        """What process `place` of `count` sends: every count-th arrival, or user; a session stays whole.

        Raises ValueError when there is no such place.
        """
        if not 0 <= place < count:
            raise ValueError(f"share {place} of {count}: the place must be in 0..{count - 1}")
        if self.header.loop == "closed":
            return Share((), range(place, int(self.header.params["users"]), count))
        owned = (a for a in self.arrivals if (a.i if a.session < 0 else a.session) % count == place)
        return Share(tuple(owned), range(0))

    def save(self, path: Path | str) -> None:
        """Write the plan as one JSON file (to a temporary name, then renamed)."""
        target = Path(path)
        temporary = target.with_name(target.name + ".part")
        temporary.write_bytes(self.to_bytes())
        temporary.replace(target)

    def to_bytes(self) -> bytes:
        """The file's content."""
        return orjson.dumps({**self._document(), "hash": self.hash})

    def _document(self) -> dict[str, object]:
        header = self.header._asdict()
        classes = [one.to_json() for one in header.pop("classes")]
        return {
            "schema_version": SCHEMA_VERSION,
            **header,
            **({"classes": classes} if classes else {}),
            "arrivals": columns.to_document(self.arrivals),
        }


def load(path: Path | str) -> Plan:
    """Read a plan file. Raises ValueError, naming the file, when it is not one or was changed
    after it was written."""
    try:
        return from_bytes(Path(path).read_bytes())
    except OSError as error:
        raise ValueError(f"plan file {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a plan file: {error}") from error


@no_collection()
def from_bytes(content: bytes) -> Plan:
    """A plan from the bytes of its file; raises ValueError when the stored hash is not the content's."""
    document = orjson.loads(content)
    if document["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema version {document['schema_version']}, this program reads {SCHEMA_VERSION}")
    header = {name: document[name] for name in Header._fields if name != "classes"}
    header["notes"] = tuple(document["notes"])
    header["classes"] = tuple(load_class.from_json(row) for row in document.get("classes", ()))
    made = Plan(Header(**header), columns.from_document(document["arrivals"]))
    if made.hash != document["hash"]:
        raise ValueError("its hash does not match its content: it was changed by hand")
    return made


def loop_of(scenario: str) -> str:
    """ "open" or "closed"; ValueError with the allowed names for an unknown scenario."""
    if scenario not in SCENARIOS:
        raise wrong("scenario", repr(scenario), f"one of {', '.join(SCENARIOS)}")
    return SCENARIOS[scenario].loop


@no_collection()
def make(
    scenario: str,
    rate_per_s: float,
    warm_up_s: float,
    measure_s: float,
    seed: int,
    mix: Mix | None = None,
    *,
    shape: Shape | None = None,
) -> Plan:
    """Draw the plan of a scenario.

    Args:
        scenario: a key of `SCENARIOS`.
        rate_per_s: mean offered rate over the measured window, requests per second, > 0 (closed: not used).
        warm_up_s: length of the warm-up in seconds, ≥ 0.
        measure_s: length of the measured window in seconds, > 0.
        seed: any integer ≥ 0; 0 is a seed like the others.
        mix: what the requests ask for; `Mix()` where it is left out.
        shape: parameters of the scenario's shape; `Shape()` where it is left out.

    Raises:
        ValueError: naming the parameter, its value and what is allowed.
    """
    loop = loop_of(scenario)
    mix, shape = mix or Mix(), shape or Shape()
    _check(scenario, rate_per_s, warm_up_s, measure_s, seed, mix)
    if mix.retry == "none":
        mix = replace(mix, retry=SCENARIOS[scenario].retry)
    if mix.classes:
        return _of_classes(scenario, rate_per_s, warm_up_s, measure_s, seed, mix, shape)
    sessions = mix.session_shape(SCENARIOS[scenario].sessions) if loop == "open" else None
    if sessions is not None:
        return _of_sessions(scenario, rate_per_s, warm_up_s, measure_s, seed, mix, shape, sessions)
    workload = mix.resolve(draws.stream(seed, "clients"))
    if loop == "closed":
        due_s, owner = np.zeros(CLOSED_POOL), np.zeros(CLOSED_POOL, dtype=np.int64)
    else:
        due_s, owner = draws.times(
            scenario, workload, rate_per_s, warm_up_s, measure_s, shape, draws.stream(seed, "arrivals")
        )
    lengths, notes = draws.lengths(workload, mix, owner, draws.stream(seed, "lengths"))
    params = _params(scenario, rate_per_s, measure_s, mix, shape)
    names = [client.name for client in workload.clients] or [workload.name]
    header = Header(
        scenario, mix.workload, seed, rate_per_s, warm_up_s, measure_s, loop, len(due_s), params, tuple(notes)
    )
    think_s = draws.stream(seed, "think").exponential(shape.think_s, len(due_s)) if loop == "closed" else None
    return assemble(header, Columns(due_s, [names[k] for k in owner], *lengths, think_s=think_s), mix)


def _of_classes(
    scenario: str, rate_per_s: float, warm_up_s: float, measure_s: float, seed: int, mix: Mix, shape: Shape
) -> Plan:
    """The plans of the load classes as one; in a closed loop the class of each request is drawn."""
    parts: list[list[Arrival]] = []
    notes: list[str] = []
    sessions, per_request = 0, 0.0
    for k, one in enumerate(mix.classes):
        own_seed, own_rate_per_s = mixed.class_seed(seed, one.name), rate_per_s * one.share
        own = make(scenario, own_rate_per_s, warm_up_s, measure_s, own_seed, mix.of(one), shape=shape)
        parts.append(mixed.apart(own.arrivals, one.name, sessions, k * mix.prefix_groups))
        sessions += 1 + max((arrival.session for arrival in own.arrivals), default=-1)
        notes += [f"{one.name}: {note}" for note in own.header.notes]
        if size := own.header.requests_per_session:
            per_request += one.share / size
    loop = loop_of(scenario)
    if loop == "closed":
        arrivals = mixed.by_share(parts, [one.share for one in mix.classes], draws.stream(seed, "classes"))
    else:
        arrivals = mixed.by_due_time(parts)
    params = _params(scenario, rate_per_s, measure_s, mix, shape)
    if per_request:
        params[REQUESTS_PER_SESSION] = round(1 / per_request, 6)
    header = Header(
        scenario, mix.name, seed, rate_per_s, warm_up_s, measure_s, loop, len(arrivals), params, tuple(notes),
        tuple(replace(one, slo=None) for one in mix.classes),
    )  # fmt: skip
    return Plan(header, arrivals)


def _of_sessions(
    scenario: str, rate_per_s: float, warm_up_s: float, measure_s: float, seed: int, mix: Mix, shape: Shape,
    sessions: SessionShape,
) -> Plan:  # fmt: skip
    """Sessions that begin where the scenario has arrivals, as many requests a second as it would; for as long
    as the warm-up they go on to begin after the window."""
    workload = mix.resolve(draws.stream(seed, "clients"))
    size = causal.mean_requests(sessions, workload, mix, seed)
    starts_s, owner = draws.times(
        scenario, workload, rate_per_s / size, warm_up_s, measure_s, shape, draws.stream(seed, "arrivals"),
        cool_down_s=warm_up_s,
    )  # fmt: skip
    names = [client.name for client in workload.clients] or [workload.name]
    ends_s = np.array([warm_up_s, warm_up_s + measure_s])
    phases = [(*PHASES, COOL_DOWN)[k] for k in np.searchsorted(ends_s, starts_s, side="right").tolist()]
    drawn = causal.sessions(starts_s, owner, names, sessions, workload, mix, phases, seed)
    params = {**_params(scenario, rate_per_s, measure_s, mix, shape), REQUESTS_PER_SESSION: round(size, 6)}
    header = Header(
        scenario, mix.workload, seed, rate_per_s, warm_up_s, measure_s, "open", len(drawn.arrivals), params,
        tuple(drawn.notes),
    )  # fmt: skip
    return Plan(header, drawn.arrivals)


def _params(scenario: str, rate_per_s: float, measure_s: float, mix: Mix, shape: Shape) -> dict[str, Param]:
    return {**mix.params(), **used(scenario, shape), **draws.peak(scenario, rate_per_s, measure_s, shape)}


def assemble(header: Header, columns: Columns, mix: Mix) -> Plan:
    """The plan of these arrivals; what the columns leave open is drawn from the header's seed."""
    return Plan(header, arrivals_of(columns, mix, header.seed, header.warm_up_s, header.loop))


def _check(scenario: str, rate_per_s: float, warm_up_s: float, measure_s: float, seed: int, mix: Mix) -> None:
    mix.check()
    if scenario == "recorded":
        sentence = "scenario = 'recorded': give the recording's folder (--recorded), nothing of it is drawn"
        raise WrongValueError("recorded", "give the folder to replay", sentence)
    if scenario == "trace":
        sentence = "scenario = 'trace': give the trace file (--trace), its arrivals are not drawn"
        raise WrongValueError("trace_file", "give the file to replay", sentence)
    PLAN_BOUNDS["rate_per_s"].check("rate_per_s", rate_per_s)
    check_window(warm_up_s, measure_s, seed)
