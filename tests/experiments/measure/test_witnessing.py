"""What the machine did to a cell: from the counters to summary, series and doubts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from experiments.measure import gpu_doubts, watching, witnessing
from experiments.measure.watching import EngineHere
from experiments.observe.gpu_series import GPU_SERIES
from experiments.observe.witness import nvml
from experiments.observe.witness.account import CardFacts, Watched
from experiments.observe.witness.nvml import Limits
from experiments.observe.witness.readings import ENGINE, HARNESS, MachineReading, Subject, others
from experiments.observe.witness.seen import CardSeen, CoresSeen, Witness
from experiments.observe.witness.watch import Watch
from experiments.run_folder.doubt import Severity
from experiments.stack.cores import Cores
from loadtests.reach.endpoint import Endpoint
from tests.answering import Page, answering
from tests.experiments import sweeping
from tests.experiments.measure import hand_made
from tests.experiments.observe.witness import nvml_library
from tests.experiments.observe.witness.nvml_library import GIB, FakeCard, FakeLibrary

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="processes are read from the Linux kernel")
BEGAN_UNIX_S = hand_made.STARTED_UNIX_S
START_S, END_S = hand_made.PLAN.phase_s("measure")
ENGINE_CORES = CoresSeen((0, 1), 0.9, 0.0, 0.0)
HARNESS_CORES = CoresSeen((2,), 0.3, 0.0, 0.0)
QUIET = Witness(10, ENGINE_CORES, HARNESS_CORES, cgroup_throttled_ratio=0.0, swap_bytes_per_s=0.0)
CARD = CardSeen("Stand-in", 1, 0, 0.0, power_limit_w=700.0, power_limit_default_w=700.0)


def engine(others_ratio: float | None) -> Witness:
    """A machine whose engine shared its cores so."""
    return replace(QUIET, engine_cores=replace(ENGINE_CORES, others_ratio=others_ratio))


def harness(others_ratio: float) -> Witness:
    """The same of the cores of what measures."""
    return replace(QUIET, harness_cores=replace(HARNESS_CORES, others_ratio=others_ratio))


def gpu(card: CardSeen) -> Witness:
    """The same of its GPU."""
    return replace(QUIET, gpu=card)


@pytest.mark.parametrize(
    ("witness", "expected"),
    [
        (None, {}),
        (Witness(10), {}),
        (gpu(CARD), {}),
        (engine(None), {}),
        (engine(0.02), {}),
        (harness(0.1), {}),
        (engine(0.3), {"others_busy": "30% of the engine's"}),
        (harness(0.3), {"others_busy": "30% of the gateway's"}),
        (replace(QUIET, cgroup_throttled_ratio=0.2), {"cpu_throttled": "in 20% of the window"}),
        (replace(QUIET, swap_bytes_per_s=5 * 2**20), {"swapping": "5.0 MiB/s"}),
        (gpu(replace(CARD, others=None)), {}),
        (gpu(replace(CARD, others=2, others_memory_bytes=3 * GIB)), {"gpu_others": "3072 MiB"}),
        (gpu(replace(CARD, power_limit_w=400.0)), {"gpu_power_limit": "400 W, 700 W by default"}),
    ],
)  # fmt: skip
def test_what_is_doubted(witness: Witness | None, expected: Mapping[str, str]) -> None:
    """Each with its size; a quiet machine and what is not known say nothing, and nothing spoils a cell."""
    found = witnessing.doubts(witness)
    assert {str(doubt.code) for doubt in found} == set(expected)
    assert all(expected[str(doubt.code)] in doubt.text for doubt in found)
    assert all(doubt.severity is not Severity.INVALID for doubt in found)


def test_cores_that_engine_and_harness_share_are_named_once() -> None:
    """Without pinned cores both have all of them."""
    shared = engine(0.4)
    (doubt,) = witnessing.doubts(replace(shared, harness_cores=shared.engine_cores))
    assert "the engine's" in doubt.text


def reading(t_s: float, others_s: float, values: Mapping[str, float] | None = None) -> MachineReading:
    """So many seconds after the cell's begin; others had used so many of the engine's."""
    counters = {
        "busy_cpu_engine_cores_ratio": t_s * 0.9,
        others(ENGINE): others_s,
        "memory_pressure_ratio": 0.0,
    }
    return MachineReading(BEGAN_UNIX_S + t_s, counters, values or {})


def test_the_window_is_cut_out_of_the_readings() -> None:
    """Others worked at a third of the cores from 6 s on: 2 of the window's 10 s were before it, and what lies
    outside of the window counts not at all."""
    seen = [reading(t_s, max(0.0, t_s - 4.0) * 0.5) for t_s in np.arange(0.25, 16.0, 1.0)]
    watched = Watched(tuple(seen), {ENGINE: frozenset({1, 0})})
    prometheus = hand_made.series({"engine_running": 4.0})
    series, witness = witnessing.together(prometheus, watched, BEGAN_UNIX_S, hand_made.PLAN)
    assert witness is not None
    assert (witness.readings, witness.harness_cores, witness.gpu) == (10, None, None)
    assert witness.engine_cores is not None
    assert witness.engine_cores.cores == (0, 1)
    assert witness.engine_cores.busy_ratio == pytest.approx(0.9)
    assert witness.engine_cores.others_ratio == pytest.approx(
        (END_S - 4.0) * 0.5 / (END_S - START_S), abs=0.02
    )
    assert witness.engine_cores.others_worst_ratio == pytest.approx(0.5)
    assert witness.memory_pressure_ratio == 0.0
    assert witness.cpu_pressure_ratio is None
    own = series[series["metric"] == others(ENGINE)].set_index("t_s")["value"]
    assert own[3.25] == 0.0
    assert own[7.25] == pytest.approx(0.5)
    assert (series["metric"] == "engine_running").sum() == len(prometheus)


def test_two_readings_close_together_make_no_rate() -> None:
    """The kernel counts in hundredths of a second: one of them in the two milliseconds before an edge of the
    window is not five cores."""
    seen = sorted([*range(16), START_S + 0.002, END_S - 0.002])
    counted = tuple(reading(float(t_s), 0.01 * np.ceil(t_s)) for t_s in seen)
    _, witness = witnessing.together(
        hand_made.series({}), Watched(counted, {ENGINE: frozenset({0})}), BEGAN_UNIX_S, hand_made.PLAN
    )
    assert witness is not None
    assert witness.engine_cores is not None
    assert witness.engine_cores.others_worst_ratio == pytest.approx(0.01, rel=0.05)


def test_readings_that_end_inside_the_window_tell_nothing_of_it() -> None:
    """Half of a window is not the window."""
    seen = tuple(reading(float(t_s), 0.0) for t_s in range(7))
    _, witness = witnessing.together(
        hand_made.series({}), Watched(seen, {ENGINE: frozenset({0})}), BEGAN_UNIX_S, hand_made.PLAN
    )
    assert witness == Witness(readings=5)


def test_a_card_that_an_exporter_tells_of_has_one_source() -> None:
    """What only NVML knows stays: who else is on the card."""
    card = {"gpu_clock_hz": 1e9, "gpu_others": 1.0, "gpu_others_memory_bytes": 7.0}
    seen = tuple(reading(float(t_s), 0.0, card) for t_s in range(16))
    watched = Watched(seen, {ENGINE: frozenset({0})}, CardFacts("Stand-in", 0, Limits(None, None)))
    prometheus = hand_made.series({"gpu_clock_hz": 2e9, "gpu_temperature_c": 60.0})
    with_exporter, _ = witnessing.together(prometheus, watched, BEGAN_UNIX_S, hand_made.PLAN)
    alone, witness = witnessing.together(hand_made.series({}), watched, BEGAN_UNIX_S, hand_made.PLAN)
    assert 1e9 not in set(with_exporter[with_exporter["metric"] == "gpu_clock_hz"]["value"])
    assert set(alone[alone["metric"] == "gpu_clock_hz"]["value"]) == {1e9}
    assert "gpu_others" in set(with_exporter["metric"])
    assert witness is not None
    assert witness.gpu == CardSeen("Stand-in", 0, 1, 7.0, clock_hz=1e9)


WELL = FakeCard(processes={os.getpid(): 60 * GIB})


@linux_only
@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (WELL, {}),
        (replace(WELL, processes={os.getpid(): 60 * GIB, 1: 8 * GIB}), {"gpu_others": "warn"}),
        (replace(WELL, reasons=0x40), {"gpu_thermal": "invalid"}),
        (replace(WELL, reasons=0x80), {"gpu_slowdown": "invalid"}),
        (replace(WELL, reasons=0x4), {"gpu_power_cap": "info"}),
        (replace(WELL, power_limit_mw=350_000), {"gpu_power_limit": "info"}),
        (replace(WELL, temperature_c=88), {"gpu_hot": "warn"}),
    ],
    ids=["well", "another process", "heat", "brake", "power cap", "lowered limit", "hot"],
)
def test_a_gpu_is_doubted_without_an_exporter(
    monkeypatch: pytest.MonkeyPatch, card: FakeCard, expected: Mapping[str, str]
) -> None:
    """From the driver's library to the doubts of the cell, by the road that a sweep takes."""
    subject = Subject((os.getpid(),), all_known=True, engine=os.getpid(), cores={}, gpu_sure=True)
    with nvml_library.installed(monkeypatch, FakeLibrary(card)), nvml.opened() as library:
        watch = Watch(subject, library)
        with watch.over((0.6,)) as over:
            sweeping.wait_until(lambda: len(over.readings) > 1, 30, "a second reading")
        watched = over.watched()
    first, last = watched.readings[0].unix_s, watched.readings[-1].unix_s
    witness = watched.witness(first, last)
    series = watched.series(first)
    inside = {str(name): group["value"].to_numpy() for name, group in series.groupby("metric")}
    assert inside.keys() >= GPU_SERIES.keys()
    found = [*witnessing.doubts(witness), *gpu_doubts.of_cell(inside)]
    assert {str(doubt.code): str(doubt.severity) for doubt in found} == expected
    assert witness is not None
    assert witness.gpu is not None
    assert witness.gpu.name == card.name


def test_a_machine_without_a_driver_is_watched_without_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """No error, and nothing is said of a GPU."""
    subject = Subject(
        (os.getpid(),), all_known=True, engine=None, cores={HARNESS: frozenset({0})}, gpu_sure=True
    )
    with nvml_library.installed(monkeypatch, None), nvml.opened() as library:
        with Watch(subject, library).over(()) as over:
            pass
        watched = over.watched()
    assert watched.card is None
    assert len(watched.readings) >= 1
    assert watched.series(watched.readings[0].unix_s)["metric"].str.startswith("gpu_").sum() == 0
    assert watched.witness(0.0, 1.0) is None


def test_an_engine_on_a_card_that_is_not_seen_there_leaves_others_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a container that has process numbers of its own; one that was not started here may be on another
    machine's card."""
    hidden = FakeLibrary(FakeCard(processes={2**22 + 5: GIB}))
    for started, cards in ((True, 1), (False, 0)):
        subject = Subject((os.getpid(),), all_known=True, engine=os.getpid(), cores={}, gpu_sure=started)
        with nvml_library.installed(monkeypatch, hidden), nvml.opened() as library:
            with Watch(subject, library).over(()) as over:
                pass
            watched = over.watched()
        assert (watched.card is not None) == bool(cards)
        assert all("gpu_others" not in of.values for of in watched.readings)
        assert any("gpu_clock_hz" in of.values for of in watched.readings) == bool(cards)


@linux_only
def test_what_listens_here_is_the_stacks_own() -> None:
    """A server of this machine whose process is found belongs to the stack; of one elsewhere nothing is
    known, and it takes nothing here."""
    with answering(lambda path: Page(b"")) as url:
        here, elsewhere = Endpoint.parse(url), Endpoint.parse("http://192.0.2.7:8000")
        for endpoint, roots in ((here, {os.getpid()}), (elsewhere, {os.getpid()})):
            with watching.of_stack(
                EngineHere(endpoint, started=False, needs_gpu=False), [], Cores()
            ) as watch:
                assert set(watch.subject.roots) == roots
                assert watch.subject.all_known
                assert ENGINE not in watch.subject.cores
                assert watch.subject.engine == (os.getpid() if endpoint == here else None)
        nobody = Endpoint.parse("http://127.0.0.1:9")
        with watching.of_stack(
            EngineHere(elsewhere, started=False, needs_gpu=False), [nobody], Cores()
        ) as watch:
            assert not watch.subject.all_known


@linux_only
def test_the_engines_cores_are_known_of_one_that_was_started_here() -> None:
    """As they were shared out; without pinning, all of them."""
    started = EngineHere(None, started=True, needs_gpu=False)
    with watching.of_stack(started, [], Cores(frozenset({0}), frozenset({1}))) as watch:
        assert watch.subject.cores == {ENGINE: {0}, HARNESS: {1}}
        assert watch.library is None
    with watching.of_stack(started, [], Cores()) as watch:
        assert watch.subject.cores[ENGINE] == watch.subject.cores[HARNESS]
