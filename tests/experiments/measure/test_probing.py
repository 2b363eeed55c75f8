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
from experiments.measure.sweep_stack import fields_for
from experiments.observe.ask import StreamedAnswer
from experiments.run_folder import codec
from experiments.spec.load_section import LoadSection
from experiments.stack import engine
from experiments.stack.engine_facts import EngineFacts
from experiments.stack.ports import free_port
from experiments.stack.providers.external import EXTERNAL
from loadtests.planning.optional_fields import (
    ALL_FIELDS,
    AnswerLengths,
    OptionalFields,
    UsageFields,
    remedy,
)
from loadtests.reach.endpoint import Endpoint
from tests.loadtests.harness import until, upstream


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


def test_the_staircase_ends_where_the_batch_is_full() -> None:
    """A quarter above it, which keeps it full; an engine that does not tell is climbed until it gives no
    more, and so is one whose batch is larger than all steps."""
    gateway = Endpoint.parse("http://127.0.0.1:1")
    steps = {batch: Target(gateway, None, "m", batch=batch).steps for batch in (1, 8, 16, 100, 4096, None)}
    assert steps[1] == (2,)
    assert steps[8] == (4, 8, 10)
    assert steps[16] == (4, 8, 16, 20)
    assert steps[100] == (4, 8, 16, 32, 64, 125)
    assert steps[4096] == steps[None] == (4, 8, 16, 32, 64, 128, 256)


@pytest.mark.parametrize(
    ("lives_s", "known"), [([0.5] * 5, False), ([0.5, 0.51] * 5, True), ([0.4, 0.6] * 5, False)]
)
def test_a_window_ends_early_only_when_lives_are_alike(lives_s: list[float], known: bool) -> None:
    """A standard error of 1 % of the mean, from six answers on."""
    answers = [StreamedAnswer(0.0, (0.1,), 16, 1, life_s) for life_s in lives_s]
    assert probing._is_known(answers) is known


def test_an_idle_engine_that_was_disturbed_is_seen_at_its_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first six answers took twice as long as those after the staircase: an objective that follows from
    them, or is out of their reach, would be another machine's."""
    monkeypatch.setattr(probing, "_STEPS", (4,))
    behaviours = ["ok"] * 8 + ["long"] * 6 + ["ok"] * 1000
    with upstream(tmp_path, ttft_s=0.01, gap_s=0.01, behaviours=behaviours) as server:
        probe = probing.run(Target(Endpoint.parse(server.url), None, "m"), 16, 20, lambda _: None)
        answered = [entry for entry in server.log() if entry["behaviour"] == "ok"][-3:]
    usual_s = sorted(entry["chunks_s"][-1] - entry["received_s"] for entry in answered)[1]
    assert probe.e2e_s < 1.7 * usual_s


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


def test_an_engine_that_refuses_fields_is_told_by_the_switch(tmp_path: Path) -> None:
    """The engine's own words, and which flag leaves the fields out; with it the probe goes through."""
    fields = OptionalFields(AnswerLengths.FREE, UsageFields.NONE)
    with upstream(tmp_path, ttft_s=0.01, gap_s=0.001, behaviours=["plain"]) as server:
        with pytest.raises(EnvironmentProblem, match=r"ignore_eos, min_tokens.*--lengths free --usage none"):
            probing.warm_up(Target(Endpoint.parse(server.url), None, "m"), 16, 4, 1, lambda _: None)
        probing.warm_up(Target(Endpoint.parse(server.url), None, "m", fields), 16, 4, 1, lambda _: None)
        # The server writes its line after the answer, which the client does not wait for.
        until(lambda: "min_tokens" not in server.log()[-1]["request"], "the last request has left them out")


def test_lengths_that_are_not_kept_are_said_before_the_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both numbers, and what takes them as a bound."""
    monkeypatch.setattr(probing, "_STEPS", (1,))
    said: list[str] = []
    with upstream(tmp_path, ttft_s=0.005, gap_s=0.0, behaviours=["short"]) as server:
        probing.run(Target(Endpoint.parse(server.url), None, "m"), 16, 32, said.append)
    assert any("3 output tokens where 32 were asked" in text and "--lengths free" in text for text in said)


@pytest.mark.parametrize(
    ("status", "text", "switches"),
    [
        (400, "Unknown parameter: ignore_eos", "--lengths free"),
        (422, "Extra inputs are not permitted: min_tokens", "--lengths free"),
        (400, "stream_options is not supported", "--usage none"),
        (400, "max_tokens is too large", ""),
        (500, "ignore_eos", ""),
    ],
)
def test_only_what_was_refused_is_advised(status: int, text: str, switches: str) -> None:
    advice = remedy(status, text)
    assert switches in advice
    assert bool(advice) == bool(switches)


def test_a_row_can_say_that_answers_cannot_be_forced() -> None:
    """Its word holds where the user says nothing."""
    free = replace(EXTERNAL, answer_lengths=AnswerLengths.FREE)
    served = engine.Engine(
        Endpoint.parse("http://127.0.0.1:1"), "m", replace(free, name="other"), "other", EngineFacts()
    )
    said = {name: fields_for(LoadSection(lengths=name), served).lengths for name in ("auto", *AnswerLengths)}
    assert said == {"auto": "free", "forced": "forced", "free": "free"}
    ours = engine.Engine(Endpoint.parse("http://127.0.0.1:1"), "m", EXTERNAL, "external", EngineFacts())
    assert fields_for(LoadSection(), ours) == ALL_FIELDS
