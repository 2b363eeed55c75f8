"""The compiled core against the reference: the same numbers to the last bit, or the reference itself."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import experiments.twin
from experiments.twin import compiled
from experiments.twin.capacity import Planned
from experiments.twin.predicted import Predictor
from experiments.twin.profile import EXACT, TINY_CPU, Profile
from experiments.twin.simulate import PATIENCE_S, Core, Player, Simulated, simulate
from experiments.twin.simulated import OUTCOMES
from experiments.twin.step_time import StepTime
from gateway.limits import Limits, QueueOrder
from gateway.orders import ORDERS, OldestFirst
from loadtests.planning import plan
from loadtests.slo import SLO
from tests.experiments.twin.nonlinear_engine import Physics, engine
from tests.experiments.twin.random_cases import Case, draw

ROOT = Path(__file__).resolve().parents[3]
FEW = [Planned(0.0, 10, 5), Planned(0.01, 10, 5)]


def bits(done: Simulated) -> dict[str, object]:
    """All numbers of a result, exactly; not who played it."""
    found = {field.name: getattr(done, field.name) for field in dataclasses.fields(done)}
    del found["compiled"]
    return {k: v.tobytes() if isinstance(v, np.ndarray) else v.hex() if isinstance(v, float) else v
            for k, v in found.items()}  # fmt: skip


def traits(case: Case, done: Simulated) -> Iterator[str]:
    """What there is in a case that could go wrong."""
    yield from set(done.outcome)
    for name, there in {
        "preempted": done.preemptions > 0,
        "last come first served": case.limits.queue_order is QueueOrder.LIFO and done.peak_queue > 1,
        "closed loop": case.users > 0,
        "work of the API server": case.profile.arrival_work_s > 0 and case.profile.end_work_s > 0,
        "pairs": case.profile.per_pair_s > 0,
        "ties": len(np.unique(done.due_s)) < len(done.due_s),
        "chunked prompts": case.profile.max_num_batched_tokens < 41,
        "follow an answer": not case.users and any(a.after for a in case.arrivals),
        "follow several": not case.users and any(len(a.after) > 1 for a in case.arrivals),
    }.items():
        if there:
            yield name


def compare(cases: Sequence[Case]) -> Counter[str]:
    """Play each by both codes, ask for the same bits, and count the traits."""
    seen: Counter[str] = Counter()
    for case in cases:
        meant, played = case.play(Core.REFERENCE), case.play(Core.COMPILED)
        assert (meant.compiled, played.compiled) == (False, True)
        assert bits(meant) == bits(played), case
        seen.update(traits(case, meant))
    return seen


def test_the_core_is_the_reference_bit_for_bit() -> None:
    """On engines, limits and arrivals drawn at random, among which everything happens that can."""
    seen = compare([draw(seed) for seed in range(150)])
    assert set(OUTCOMES) - set(seen) == {"over_budget"}, "of lanes, which the core does not play"
    assert len(seen) == len(OUTCOMES) - 1 + 9, seen
    assert min(seen.values()) >= 5, seen


def test_the_core_logs_the_same_steps_and_changes_nothing_by_it() -> None:
    """Of the same random cases: the log of the reference, and all other numbers as without one."""
    for case in (draw(seed) for seed in range(40)):
        plain = case.play(Core.COMPILED)
        meant, played = case.play(Core.REFERENCE, logged=True), case.play(Core.COMPILED, logged=True)
        assert meant.step_log is not None
        assert meant.step_log["count"].sum() == meant.steps
        assert bits(meant) == bits(played)
        assert {**bits(played), "step_log": None} == bits(plain)


@pytest.mark.prove
def test_the_core_is_the_reference_in_many_and_longer_cases() -> None:
    """The same over 3,000 more, with up to 500 requests."""
    seen = compare([draw(seed, requests=500) for seed in range(1000, 4000)])
    assert min(seen.values()) >= 100, seen


@pytest.mark.prove
def test_a_law_of_somebody_elses_is_compiled_too() -> None:
    """An engine whose steps the twin does not share: the same bits, and its noise goes on where it would."""
    for seed in range(200):
        case = draw(seed, requests=60)
        both = [engine(Physics(), case.profile, speed=1.1, seed=seed) for _ in range(2)]
        cores = (Core.REFERENCE, Core.COMPILED)
        meant, played = (replace(case, profile=one).play(core) for one, core in zip(both, cores, strict=True))
        assert (meant.compiled, played.compiled) == (False, True)
        assert bits(meant) == bits(played), case
        left = [one.step_time.duration_s(1, 1, 1) for one in both]
        assert left[0] == left[1]


class Own(StepTime):
    """A law of somebody's own that nobody compiled: twice as slow from 10 ms on."""

    def at(self, begin_s: float) -> StepTime:
        return StepTime(self.base_s * (1 if begin_s < 0.01 else 2))


class OwnSteps(Profile):
    """An engine of that law."""

    @property
    def step_time(self) -> StepTime:
        return Own(self.base_s)


def test_what_the_core_does_not_know_goes_to_the_reference() -> None:
    """Another law of steps, another queue order: played all the same, and the result says by whom."""

    class OwnOrder(OldestFirst):
        """An order of somebody's own."""

    plain = simulate(FEW, EXACT, Limits(), core=Core.COMPILED)
    orders = {**ORDERS, QueueOrder.FIFO: OwnOrder}
    reordered = simulate(FEW, EXACT, Limits(), orders=orders, core=Core.COMPILED)
    slowed = simulate(FEW, OwnSteps(**EXACT.model_dump()), Limits(), core=Core.COMPILED)
    assert (plain.compiled, reordered.compiled, slowed.compiled) == (True, False, False)
    assert bits(plain) == bits(reordered)
    assert plain.last_s.tolist() == pytest.approx([0.05, 0.06])
    assert slowed.last_s.tolist() == pytest.approx([0.09, 0.11])


@pytest.mark.parametrize("core", [Core.REFERENCE, Core.COMPILED])
def test_mistakes_raise_by_either_code(core: Core) -> None:
    """A request that never fits, bounds that contradict each other, arrivals in the wrong order."""
    small = EXACT.model_copy(update={"max_model_len": 14})
    with pytest.raises(ValueError, match="10 \\+ 5 tokens never fit"):
        simulate(FEW, small, Limits(), core=core)
    with pytest.raises(ValueError, match="at least max_num_seqs"):
        simulate(FEW, EXACT.model_copy(update={"max_num_batched_tokens": 8}), Limits(), core=core)
    with pytest.raises(ValueError, match="time went back"):
        simulate([Planned(1.0, 10, 5), Planned(0.2, 10, 5)], EXACT, Limits(), core=core)


def test_only_many_simulations_get_the_core_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """While they have taken less than a second, Python plays; then the core does, for every predictor that
    shares the player.
    """
    monkeypatch.setattr(compiled, "is_ready", lambda: False)  # an earlier test may have got it ready
    now_s = iter(np.arange(0.0, 100.0, 0.4 * PATIENCE_S).tolist())
    player = Player(clock=lambda: next(now_s))  # every simulation takes 0.4 of the patience
    slo = SLO.parse("ttft<=1s")
    traces = [plan.make("sustained", 2.0, 0, 3, seed) for seed in (1, 2, 3, 4)]
    for trace in traces:
        Predictor([trace], [TINY_CPU], slo, player).cell(Limits())
    assert (player.interpreted, player.compiled) == (3, 1)
    assert str(player) == "1 simulations in the compiled core, 3 in Python"


@pytest.mark.parametrize(("expected", "played"), [(10, (4, 0)), (1000, (1, 3))])
def test_simulations_that_are_sure_to_come_count(
    expected: int, played: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one tells how long they would all take in Python."""
    monkeypatch.setattr(compiled, "is_ready", lambda: False)
    now_s = iter(np.arange(0.0, 1.0, 0.01 * PATIENCE_S).tolist())
    player = Player(clock=lambda: next(now_s), expected=expected)
    for _ in range(4):
        player.simulate(FEW, EXACT, Limits())
    assert (player.interpreted, player.compiled) == played


def test_without_numba_python_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed, or does not work: the reason is there, and so are the numbers."""
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "experiments.twin.core", raising=False)
    monkeypatch.delattr(experiments.twin, "core", raising=False)
    compiled.obstacle.cache_clear()
    try:
        assert "numba" in (compiled.obstacle() or "")
        assert not compiled.is_ready()
        player = Player(Core.COMPILED)
        assert player.simulate(FEW, EXACT, Limits()).outcome == ("ok", "ok")
        assert str(player) == f"0 simulations in the compiled core, 1 in Python ({compiled.obstacle()})"
    finally:
        compiled.obstacle.cache_clear()


def test_commands_do_not_import_numba() -> None:
    """It costs half a second, which `--help` and a short prediction must not pay."""
    code = "import sys, experiments.tune, experiments.predict; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0
