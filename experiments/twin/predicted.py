"""What the twin expects of one cell: each measure with an interval over traces and parameter draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.twin.footprint import Footprint
from experiments.twin.profile import Profile
from experiments.twin.simulate import Offered, Player, Simulated
from experiments.twin.simulated import OK, Sender
from experiments.twin.through_lanes import offered_of
from gateway.lane import Lanes
from gateway.limits import Limits
from loadtests.latency import Column, tpot_column_s
from loadtests.planning.causal import follows
from loadtests.planning.plan import Plan
from loadtests.recording.quantiles import rank
from loadtests.slo import SLO

MEASURES = (
    "goodput_per_s",
    "attainment",
    "rejected_ratio",
    "ttft_p95_s",
    "tpot_p95_s",
    "e2e_p95_s",
    "queue_p95_s",
)


def measures_of(slo: SLO) -> tuple[str, ...]:
    """`MEASURES`, and the attainment of each load class that has an objective of its own."""
    return (*MEASURES, *(of_class(name) for name, _ in slo.classes))


def of_class(name: str) -> str:
    """The measure that is a load class's attainment."""
    return f"attainment of {name}"


@dataclass(frozen=True, slots=True)
class Expected:
    """A measure over the traces: its mean, and the ends of the range that holds a further run with 90 %
    (nan: never defined)."""

    mean: float
    low: float
    high: float


class Predictor:
    """Plays traces under one setting after another, and none twice: settings that bind nowhere are one run.

    Where nobody waited, was refused or timed out, a larger limit cannot change anything; so a matrix costs
    less the more of it lies on a plateau. Ask for the widest settings first.
    """

    def __init__(
        self, plans: Sequence[Plan], profiles: Sequence[Profile], slo: SLO, player: Player | None = None
    ) -> None:
        """`player`: who plays; one for several predictors knows sooner that the simulations are many."""
        self._traces = [_Trace(plan) for plan in plans]
        self._profiles = profiles
        self._slo = slo
        self._player = player or Player()
        self._played: list[list[_Played]] = [[] for _ in plans]
        self.simulated = 0

    def cell(self, limits: Limits, lanes: Lanes | None = None) -> dict[str, Expected]:
        """Play every plan, each with the next of the profiles (parameter draws), and collect the measures.
        `lanes`: None where none are known of."""
        return {name: expected_of(values) for name, values in self.runs(limits, lanes).items()}

    def runs(self, limits: Limits, lanes: Lanes | None = None) -> dict[str, npt.NDArray[np.float64]]:
        """`measures_of` the objective of each plan's run, in the order of the plans; shape (plans,) each."""
        runs = [self._run(k, limits, lanes) for k in range(len(self._traces))]
        return {name: np.array([run[name] for run in runs]) for name in measures_of(self._slo)}

    def _run(self, k: int, limits: Limits, lanes: Lanes | None) -> dict[str, float]:
        for played in self._played[k]:
            if played.lanes == lanes and played.footprint.same_under(limits):
                return played.measures
        trace = self._traces[k]
        done = self._player.simulate(trace.through(lanes), self._profiles[k % len(self._profiles)], limits)
        self.simulated += 1
        played = _Played(Footprint.of(limits, done), lanes, _measured(trace, done, self._slo))
        self._played[k].append(played)
        return played.measures


class _Trace:
    """A plan, ready to be played and measured many times."""

    __slots__ = ("_offered", "_plan", "begun", "classes", "output_tokens", "window_s")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._offered: dict[Lanes | None, Offered] = {}
        self.output_tokens = np.array([arrival.output_tokens for arrival in plan.arrivals], dtype=float)
        self.classes = np.array([arrival.cls for arrival in plan.arrivals], dtype=str)
        self.window_s = plan.phase_s("measure")
        self.begun: npt.NDArray[np.bool_] | None = None
        """Of sessions: which requests belong to one that began in the window."""
        if follows(plan.arrivals):
            self.begun = np.array([arrival.phase == "measure" for arrival in plan.arrivals])

    def through(self, lanes: Lanes | None) -> Offered:
        """Its arrivals as a gateway with these lanes sees them, made once."""
        if lanes not in self._offered:
            self._offered[lanes] = offered_of(self._plan, lanes)
        return self._offered[lanes]


@dataclass(frozen=True, slots=True)
class _Played:
    """A run, and how much of each limit it used."""

    footprint: Footprint
    lanes: Lanes | None
    measures: dict[str, float]


def measures(plan: Plan, done: Simulated, slo: SLO) -> dict[str, float]:
    """`measures_of` the objective in one run, over the requests offered in the plan's measured window.

    TTFT and E2E run from the due time. A p95 is a value of the run, as in the summary of a measured cell; nan
    where nothing was served. An answer of one token has no TPOT, and its bound does not count against it.
    """
    return _measured(_Trace(plan), done, slo)


def measures_by_lane(
    plan: Plan, senders: Sequence[Sender], done: Simulated, slo: SLO
) -> dict[str, dict[str, float]]:
    """`measures` of each lane's requests, by the names of the lanes."""
    trace, lanes = _Trace(plan), np.array([sender.lane for sender in senders])
    return {name: _measured(trace, done, slo, lanes == name) for name in sorted(set(lanes.tolist()))}


def _measured(
    trace: _Trace, done: Simulated, slo: SLO, among: npt.NDArray[np.bool_] | None = None
) -> dict[str, float]:
    begin_s, end_s = trace.window_s
    inside = (done.due_s >= begin_s) & (done.due_s < end_s) if trace.begun is None else trace.begun
    if among is not None:
        inside = inside & among
    ok = inside & (done.codes == OK)
    latencies = {
        "ttft_s": (done.first_s - done.due_s)[ok],
        "ttfv_s": (done.first_s - done.due_s)[ok],  # the twin does not reason: its first token is seen
        "tpot_s": tpot_column_s(done.first_s, done.last_s, trace.output_tokens)[ok],
        "e2e_s": (done.last_s - done.due_s)[ok],
    }
    # Whoever is served has a first token, which is seen at once.
    columns = latencies | dict.fromkeys(("first_s", "visible_s"), done.first_s[ok])
    classes = trace.classes[ok]
    good = slo.judge_columns(
        np.ones(int(ok.sum()), dtype=bool), columns.__getitem__, lambda name: np.asarray(classes == name)
    )
    offered = max(1, int(inside.sum()))
    return {
        "goodput_per_s": float(good.sum()) / (end_s - begin_s),
        "attainment": float(good.sum()) / offered,
        "rejected_ratio": 1 - float(ok.sum()) / offered,
        "ttft_p95_s": _p95(latencies["ttft_s"]),
        "tpot_p95_s": _p95(latencies["tpot_s"]),
        "e2e_p95_s": _p95(latencies["e2e_s"]),
        "queue_p95_s": _p95((done.granted_s - done.due_s)[ok]),
        **{
            of_class(name): float(good[classes == name].sum())
            / max(1, int((trace.classes[inside] == name).sum()))
            for name, _ in slo.classes
        },
    }


def _p95(values: Column) -> float:
    defined = np.sort(values[~np.isnan(values)])
    return float(defined[rank(len(defined), 0.95)]) if len(defined) else float("nan")


def expected_of(values: Column) -> Expected:
    """Mean and range of single runs, shape (n,); nan where a run does not define the measure."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return Expected(float("nan"), float("nan"), float("nan"))
    # Of n runs in order, a further one lies below the i-th with probability i/(n + 1), whatever their law
    # (Wilks 1941): the positions that NumPy calls Weibull's. Fewer than 19 runs hold (n − 1)/(n + 1).
    low, high = np.quantile(defined, [0.05, 0.95], method="weibull")
    return Expected(float(defined.mean()), float(low), float(high))
