"""The SLO that a sweep judges by when none is given."""

from experiments.design.objective import objective, queue_timeout_s
from experiments.stack.providers.external import EXTERNAL
from experiments.stack.providers.vllm import VLLM
from experiments.stack.providers.vllm_cpu import VLLM_CPU


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
