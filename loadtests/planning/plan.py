"""The arrival plan: every request of a run, decided before it starts, seeded, hashed and stored.

A plan is data. `make` draws it, `Plan.save`/`load` keep it as one JSON file (columns, not rows),
`Plan.share` deals it to workers so that the union of the shares is the plan, whatever their number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from loadtests.bounds import WrongValueError, wrong
from loadtests.bulk import no_collection
from loadtests.planning import draws, load_class, mixed
from loadtests.planning.arrival import Arrival
from loadtests.planning.load_class import LoadClass
from loadtests.planning.mix import Floats, Mix, Sessions, cancellations, no_sessions
from loadtests.planning.mix import sessions as draw_sessions
from loadtests.planning.plan_bounds import PLAN_BOUNDS, check_window
from loadtests.planning.scenarios import SCENARIOS, Shape, used
from loadtests.planning.workloads import Counts

SCHEMA_VERSION = 1
CLOSED_POOL = (
    4096  # a closed run takes its requests from this pool, round and round, each time with a new prompt
)
PHASES = ("warm_up", "measure")
Param = int | float | str
_LATER = "prefixes"
"""A column that plans of earlier versions lack; where nothing is in it, it is left out."""


class Header(NamedTuple):
    """What the plan was made from; everything needed to make it again."""

    scenario: str
    workload: str
    seed: int
    rate_per_s: float
    warm_up_s: float
    measure_s: float
    loop: str
    n: int
    params: Mapping[str, Param]
    notes: Sequence[str]
    classes: Sequence[LoadClass] = ()
    """The load classes that are mixed, without their objectives; none where all requests are of one kind."""

    def tokens(self, name: str) -> int | None:
        """The planned `prompt_tokens` or `output_tokens`, where all requests have one length."""
        value = self.params.get(name)
        return value if isinstance(value, int) else None


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
        """Length of warm-up and measured window together: no request is due later."""
        return self.header.warm_up_s + self.header.measure_s

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
        return {"warm_up": (0.0, warm_up), "measure": (warm_up, self.duration_s)}[phase]

    def offered(self, phase: str) -> int:
        """Number of requests due in the phase."""
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
        columns = zip(*self.arrivals, strict=True) if self.arrivals else ([] for _ in Arrival._fields)
        by_name = {name: list(column) for name, column in zip(Arrival._fields, columns, strict=True)}
        if not any(by_name[_LATER]):
            del by_name[_LATER]
        header = self.header._asdict()
        classes = [one.to_json() for one in header.pop("classes")]
        return {
            "schema_version": SCHEMA_VERSION,
            **header,
            **({"classes": classes} if classes else {}),
            "arrivals": by_name,
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
    columns = _columns(document["arrivals"])
    header = {name: document[name] for name in Header._fields if name != "classes"}
    header["notes"] = tuple(document["notes"])
    header["classes"] = tuple(load_class.from_json(row) for row in document.get("classes", ()))
    made = Plan(Header(**header), tuple(map(Arrival._make, zip(*columns, strict=True))))
    if made.hash != document["hash"]:
        raise ValueError("its hash does not match its content: it was changed by hand")
    return made


def _columns(stored: Mapping[str, Sequence[Any]]) -> list[Sequence[Any]]:
    """The columns of a file in the order of `Arrival`."""
    n = len(stored["i"])
    prefixes = [tuple(map(tuple, one)) for one in stored.get(_LATER, [()] * n)]
    return [prefixes if name == _LATER else stored[name] for name in Arrival._fields]


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
    columns = Columns(due_s, [names[k] for k in owner], *lengths)
    if loop == "closed":
        columns = replace(columns, think_s=draws.stream(seed, "think").exponential(shape.think_s, len(due_s)))
    return assemble(header, columns, mix)


def _of_classes(
    scenario: str, rate_per_s: float, warm_up_s: float, measure_s: float, seed: int, mix: Mix, shape: Shape
) -> Plan:
    """The plans of the load classes as one; in a closed loop the class of each request is drawn."""
    parts: list[list[Arrival]] = []
    notes: list[str] = []
    sessions = 0
    for k, one in enumerate(mix.classes):
        own_seed, own_rate_per_s = mixed.class_seed(seed, one.name), rate_per_s * one.share
        own = make(scenario, own_rate_per_s, warm_up_s, measure_s, own_seed, mix.of(one), shape=shape)
        parts.append(mixed.apart(own.arrivals, one.name, sessions, k * mix.prefix_groups))
        sessions += 1 + max((arrival.session for arrival in own.arrivals), default=-1)
        notes += [f"{one.name}: {note}" for note in own.header.notes]
    loop = loop_of(scenario)
    if loop == "closed":
        arrivals = mixed.by_share(parts, [one.share for one in mix.classes], draws.stream(seed, "classes"))
    else:
        arrivals = mixed.by_due_time(parts)
    header = Header(
        scenario, mix.name, seed, rate_per_s, warm_up_s, measure_s, loop, len(arrivals),
        _params(scenario, rate_per_s, measure_s, mix, shape), tuple(notes),
        tuple(replace(one, slo=None) for one in mix.classes),
    )  # fmt: skip
    return Plan(header, arrivals)


def _params(scenario: str, rate_per_s: float, measure_s: float, mix: Mix, shape: Shape) -> dict[str, Param]:
    return {**mix.params(), **used(scenario, shape), **draws.peak(scenario, rate_per_s, measure_s, shape)}


@dataclass(frozen=True, slots=True)
class Columns:
    """What is known of a plan's n arrivals before they are put together; each column of length n.

    due_s: ascending, in seconds. new_tokens: prompt lengths without a session's history, in tokens. sessions,
    groups (of a shared prefix, -1 = none): None where they are to be drawn as the mix says. think_s: seconds,
    None = no pauses. leave_s: seconds after which clients hang up (0 = never), None = drawn. prefixes: as
    `Arrival` has them.
    """

    due_s: Floats
    classes: Sequence[str]
    new_tokens: Counts
    output_tokens: Counts
    sessions: Sessions | None = None
    groups: Counts | None = None
    think_s: Floats | None = None
    leave_s: Floats | None = None
    prefixes: Sequence[tuple[tuple[int, int], ...]] | None = None


def assemble(header: Header, columns: Columns, mix: Mix) -> Plan:
    """The plan of these arrivals; what the columns leave open is drawn from the header's seed."""
    n, seed = len(columns.due_s), header.seed
    sessions = columns.sessions or _sessions(columns, mix, seed)
    groups = columns.groups
    if groups is None:
        groups = np.full(n, -1)
        if mix.prefix_groups:
            groups = draws.stream(seed, "groups").integers(0, mix.prefix_groups, n)
    prefix = np.where(groups >= 0, np.minimum(mix.prefix_tokens, sessions.prompt_tokens), 0)
    leave_s = columns.leave_s
    if leave_s is None:
        leave_s = cancellations(n, mix, draws.stream(seed, "cancel"))
    warming_up = columns.due_s < header.warm_up_s
    fields = (
        range(n),
        np.round(columns.due_s, 6).tolist(),
        np.where(warming_up, *PHASES).tolist() if header.loop == "open" else ["measure"] * n,
        columns.classes,
        sessions.prompt_tokens.tolist(),
        columns.output_tokens.tolist(),
        draws.stream(seed, "prompts").integers(0, 2**53, n).tolist(),
        sessions.session.tolist(),
        sessions.turn.tolist(),
        groups.tolist(),
        prefix.tolist(),
        np.round(leave_s, 6).tolist(),
        np.round(columns.think_s, 6).tolist() if columns.think_s is not None else [0.0] * n,
        [()] * n if columns.prefixes is None else columns.prefixes,
    )
    return Plan(header, tuple(map(Arrival._make, zip(*fields, strict=True))))


def _sessions(columns: Columns, mix: Mix, seed: int) -> Sessions:
    if mix.turns <= 1:
        return no_sessions(columns.new_tokens)
    rng = draws.stream(seed, "sessions")
    return draw_sessions(columns.due_s, columns.new_tokens, columns.output_tokens, mix, rng)


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
