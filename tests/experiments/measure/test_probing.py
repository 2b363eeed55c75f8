"""The short look at the engine before a matrix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.design.objective import DEFAULT_SLO, objective
from experiments.design.probe import ASSUMED, Probe
from experiments.errors import EnvironmentProblem
from experiments.measure import probing
from experiments.measure.probing import Target
from experiments.run_folder import codec
from experiments.stack import engine
from experiments.stack.ports import free_port
from loadtests.reach.endpoint import Endpoint


def test_the_probe_of_an_engine_with_steps_of_10_ms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No number is better than the engine can be, and each is there."""
    monkeypatch.setattr(probing, "_STEPS", (4,))
    told: list[str] = []
    with engine.running(engine.choose("emulator", profile="exact"), log_dir=tmp_path) as served:
        target = Target(Endpoint.parse(served.url), served.endpoint, served.model)
        probe = probing.run(target, 16, 10, told.append)
        one_token = probing.run(target, 16, 1, told.append)
    assert (probe.tpot_s or 0) > 0.0095
    assert probe.e2e_s > 0.095
    assert 0 < probe.ttft_s < probe.e2e_s
    assert probe.steps == ((4, probe.capacity_per_s),)
    assert 0 < probe.capacity_per_s < 4 / 0.095
    assert one_token.tpot_s is None, "an answer of one token has no time per token"
    assert told[0] == "warming up the engine"


def test_a_probe_without_tpot_is_stored_and_leaves_the_default_objective_for_tokens() -> None:
    """It counted as 0 before, which made an objective of 1 ms a token."""
    probe = replace(ASSUMED, tpot_s=None)
    assert codec.from_json(Probe, codec.to_json(probe), "a probe") == probe
    text, scaled_from = objective(None, True, 0.03, probe.tpot_s, 0.5)
    assert (text, scaled_from) == ("ttft<=0.5s,tpot<=60ms,attainment>=0.95", DEFAULT_SLO)


def test_a_gateway_that_is_gone_is_one_sentence() -> None:
    """It says that it was the probe, or the warm-up, and where it asked."""
    url = f"http://127.0.0.1:{free_port()}"
    target = Target(Endpoint.parse(url), None, "m")
    with pytest.raises(EnvironmentProblem, match=rf"^the probe failed: {url} cannot be reached"):
        probing.run(target, 16, 4, lambda _: None)
    with pytest.raises(EnvironmentProblem, match=rf"^the warm-up failed: {url} cannot be reached"):
        probing.warm_up(target, 16, 4, 2, lambda _: None)
