"""Prompts have the planned length, are different from each other, and share only what they should."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from loadtests.planning import plan as plans
from loadtests.planning.arrival import Arrival
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.planning.prompts import ONE_EACH, Messages, TokenCost, calibrate, words
from loadtests.sending.bodies import Bodies
from tests.loadtests.harness import run, upstream
from tests.loadtests.scripted_upstream import tokens_of


def messages(plan: Plan, arrival: Arrival, salt: str = "s", cost: TokenCost = ONE_EACH) -> Messages:
    bodies = Bodies("m", cost, salt=salt, chunk_usage=False, plan=plan.arrivals)
    sent: Messages = orjson.loads(bodies.take(arrival))["messages"]
    return sent


def text(sent: Messages) -> str:
    return " ".join(message["content"] for message in sent)


def count(sent: Messages) -> int:
    return tokens_of(text(sent))


@pytest.mark.parametrize("tokens", [12, 17, 100, 1023])
def test_a_calibrated_prompt_is_token_exact(tokens: int) -> None:
    """Words that cost 1 or 2 tokens and a template of 9: every length that can be made is made."""
    cost = calibrate(count)
    assert cost.exact
    assert (cost.template, sorted(cost.by_price)) == (9, [1, 2])
    plan = plans.make("constant", 10.0, 0.0, 2.0, 0, Mix.fixed(tokens, 8))
    assert {count(messages(plan, a, cost=cost)) for a in plan.arrivals} == {tokens}


def test_words_of_several_tokens_make_exact_prompts() -> None:
    """Where no word costs one token, prompts are made of two and three."""

    def priced(sent: Messages) -> int:
        return 5 + sum(2 + len(word) % 2 for word in text(sent).split())

    cost = calibrate(priced, ["aa", "bbb", "cc", "ddd"])
    assert cost.exact
    for tokens in (20, 21, 50, 333):
        assert priced([{"role": "user", "content": words(tokens - 5, tokens, cost)}]) == tokens


def test_costs_survive_a_file(tmp_path: Path) -> None:
    """A sweep measures them once; what its generators read is what was measured."""
    cost = calibrate(count)
    file = tmp_path / "cost.json"
    file.write_bytes(orjson.dumps(cost.to_json()))
    assert TokenCost.from_json(orjson.loads(file.read_bytes())) == cost


def test_with_a_file_of_costs_the_engine_is_not_asked(tmp_path: Path) -> None:
    """Every question between two cells would run on the engine's core. This server could not answer."""
    file = tmp_path / "cost.json"
    file.write_bytes(orjson.dumps(calibrate(count).to_json()))
    flags = ("--rate", "5", "--warmup", "0", "--duration", "1", "--drain", "5")
    with upstream(tmp_path) as server:
        ran = run(server.url, tmp_path / "run", *flags, "--prompt-cost-file", str(file))
        wrong = run(server.url, tmp_path / "wrong", *flags, "--prompt-cost-file", str(tmp_path / "nothing"))
    assert ran.code in (0, 11)  # 11: this machine was too busy to measure
    assert ran.load["prompts"]["exact"]
    assert wrong.code == 2
    assert "prompt-cost-file" in wrong.output


def test_a_tokenizer_that_merges_words_is_not_called_exact() -> None:
    """When whole prompts do not come out as the words' prices say, the run must not claim it."""

    def merging(sent: Messages) -> int:
        n = len(text(sent).split())
        return 3 + n - n // 100

    cost = calibrate(merging)
    assert not cost.exact
    assert "differ" in cost.note


def test_requests_of_a_run_and_runs_of_a_plan_are_unlike() -> None:
    """No two prompts of a plan share their first eight words; another run (salt) shares
    none with this one."""
    plan = plans.make("constant", 100.0, 0.0, 5.0, 0, Mix.fixed(64, 8))
    first, second = (
        {" ".join(text(messages(plan, a, salt)).split()[:8]) for a in plan.arrivals}
        for salt in ("one", "two")
    )
    assert len(first) == len(second) == len(plan)
    assert not first & second


def test_a_run_can_be_repeated_exactly() -> None:
    """Same plan and salt, same text."""
    plan = plans.make("constant", 10.0, 0.0, 1.0, 0)
    assert messages(plan, plan.arrivals[3]) == messages(plan, plan.arrivals[3])


def test_prefix_groups_share_their_prefix_only() -> None:
    """Requests of a group begin with the same words, then differ; groups differ from each other."""
    plan = plans.make(
        "constant", 20.0, 0.0, 2.0, 0, mix=Mix(prefix_groups=3, prefix_tokens=40, prompt_tokens=60)
    )
    begins: dict[int, set[str]] = {}
    rests = set()
    for a in plan.arrivals:
        written = text(messages(plan, a)).split()
        assert len(written) == 60
        begins.setdefault(a.prefix_group, set()).add(" ".join(written[:40]))
        rests.add(" ".join(written[40:]))
    assert len(begins) == 3
    assert all(len(group) == 1 for group in begins.values())
    assert len(rests) == len(plan)


def test_a_session_repeats_its_history() -> None:
    """Turn k begins with the messages of turn k - 1, so that a prefix cache sees what it would see."""
    plan = plans.make("constant", 10.0, 0.0, 20.0, 0, mix=Mix(turns=4, turn_gap_s=0.5, prompt_tokens=30))
    by_session: dict[int, list[Arrival]] = {}
    for a in plan.arrivals:
        by_session.setdefault(a.session, []).append(a)
    chain = max(by_session.values(), key=len)
    assert len(chain) >= 3
    for before, after in pairwise(chain):
        old, new = messages(plan, before), messages(plan, after)
        assert new[: len(old)] == old
        assert new[len(old)]["role"] == "assistant"
        assert len(text(new).split()) == after.prompt_tokens


def test_a_conversation_is_token_exact() -> None:
    """Every message costs its words and what the template puts around it, also behind a long history."""

    def priced(sent: Messages) -> int:
        return 3 + sum(4 + len(message["content"].split()) for message in sent)

    cost = calibrate(priced)
    assert (cost.template, cost.per_message) == (7, 4)
    plan = plans.make("constant", 10.0, 0.0, 20.0, 0, mix=Mix(turns=3, tool_calls=1, prompt_tokens=40))
    assert any(a.turn > 3 for a in plan.arrivals)
    for a in plan.arrivals:
        assert priced(messages(plan, a, cost=cost)) == a.prompt_tokens


def test_the_request_forces_its_length(tmp_path: Path) -> None:
    """What reaches the server: exact prompt, forced output length, usage asked for, nothing sampled."""
    with upstream(tmp_path, tokenize=True, gap_s=0.001) as server:
        ran = run(
            server.url, tmp_path / "run", "--rate", "10", "--warmup", "0", "--duration", "1",
            "--prompt-tokens", "50", "--output-tokens", "7",
        )  # fmt: skip
        entries = server.log()
    assert ran.load["prompts"]["exact"]
    for entry in entries:
        asked = entry["request"]
        assert tokens_of(text(entry["messages"])) == 50
        assert asked["max_tokens"] == asked["min_tokens"] == 7
        assert asked["ignore_eos"] is True
        assert asked["temperature"] == 0
        assert asked["stream_options"] == {"include_usage": True}
        assert asked["model"] == "scripted-model"
