"""The SLO that a sweep judges by when none is given, and one that no setting can meet."""

from dataclasses import replace

from experiments.design.objective import objective, out_of_reach, queue_timeout_s
from experiments.design.probe import ASSUMED
from experiments.stack.providers.external import EXTERNAL
from experiments.stack.providers.vllm import VLLM
from experiments.stack.providers.vllm_cpu import VLLM_CPU
from loadtests.slo import SLO


def test_a_given_slo_is_never_touched() -> None:
    """Whatever the engine."""
    assert objective("ttft<=3s", True, 0.03, 0.02, 0.5) == ("ttft<=3s", None)


def test_a_gpu_engine_gets_the_default() -> None:
    """Only the project's own engines are too fast for it."""
    assert objective(None, VLLM.slo_scaled, 0.1, 0.025, 5.0) == ("ttft<=1s,tpot<=60ms,attainment>=0.95", None)
    assert objective(None, EXTERNAL.slo_scaled, 0.1, 0.025, 5.0)[1] is None


def test_the_tiny_model_gets_a_tighter_one_and_says_from_what() -> None:
    """First token within an idle answer's length, tokens within 2.4 idle tokens."""
    assert objective(None, VLLM_CPU.slo_scaled, 0.03, 0.02, 0.5) == (
        "ttft<=0.5s,tpot<=48ms,attainment>=0.95",
        "ttft<=1s,tpot<=60ms,attainment>=0.95",
    )


def test_no_objective_is_out_of_an_idle_engines_reach() -> None:
    """A slow machine must not end in a sweep where nothing can be good."""
    text, _ = objective(None, VLLM_CPU.slo_scaled, 0.2, 0.05, 1.4)
    assert text == "ttft<=1s,tpot<=100ms,attainment>=0.95"


def test_the_queue_timeout_is_what_the_objective_leaves() -> None:
    """Longer waits only make late answers; without an objective the gateway's default stands."""
    assert queue_timeout_s(1.0, 0.1) == 0.9
    assert queue_timeout_s(0.1, 0.2) == 0.01
    assert queue_timeout_s(None, 0.1) == 120.0


def test_what_an_idle_engine_misses_is_said_with_what_it_could_meet() -> None:
    """Idle: TTFT 30 ms, TPOT 20 ms, E2E 0.5 s. The bounds that hold stay as they are."""
    found = out_of_reach(SLO(ttft_s=0.4, tpot_s=0.012, e2e_s=0.2, attainment=0.9), ASSUMED)
    assert found is not None
    assert found.missed == {"tpot_s": 0.02, "e2e_s": 0.5}
    assert found.within_reach == SLO(ttft_s=0.4, tpot_s=0.03, e2e_s=1.0, attainment=0.9)
    assert "TPOT 20 ms, where at most 12 ms are asked for" in str(found)
    assert "--slo 'ttft<=400ms,tpot<=30ms,e2e<=1s,attainment>=0.9'" in str(found)


def test_an_objective_that_an_idle_engine_meets_is_within_reach() -> None:
    """Just met is met; a bound on what the probe did not see does not count."""
    assert out_of_reach(SLO(ttft_s=0.03, tpot_s=0.02), ASSUMED) is None
    assert out_of_reach(SLO(tpot_s=0.001), replace(ASSUMED, tpot_s=None)) is None


def test_the_objective_within_reach_is_within_reach() -> None:
    """Whatever the engine, taking the advice does not end in the same sentence."""
    for factor in (0.01, 0.37, 1.0, 9.3):
        seen = replace(ASSUMED, ttft_s=0.03 * factor, tpot_s=0.02 * factor, e2e_s=0.5 * factor)
        found = out_of_reach(SLO(ttft_s=1e-4, tpot_s=1e-5, e2e_s=1e-3), seen)
        assert found is not None
        assert out_of_reach(found.within_reach, seen) is None
