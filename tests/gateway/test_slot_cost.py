"""`SLOT_COST=tokens` through the real process: what runs is bounded by the engine's KV cache."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from experiments.stack import engine as engines
from gateway.token_needs import MOST_TENANTS, TokenNeeds
from gateway.token_slots import CacheSize, cache_size
from tests.gateway.process import GatewayProcess, free_port, gateway, until
from tests.gateway.scripted_engine import SSE_HEAD, ScriptedEngine, chunk, whole
from tests.gateway.stand import SERVED, Raw, post

Sent = Callable[[GatewayProcess, bytes], Raw]
BLOCK = 16
MANY = 10
"""Slots: more than there are requests, so that only tokens bound them."""


@dataclass
class SizedEngine(ScriptedEngine):
    """Tells the size of its KV cache as vLLM does; blocks: None for an engine that does not."""

    blocks: int | None = 10

    def control_answer(self, path: str) -> str:
        if path != "/metrics" or self.blocks is None:
            return super().control_answer(path)
        labels = f'block_size="{BLOCK}",engine="0",num_gpu_blocks="{self.blocks}"'
        return whole(200, f"vllm:cache_config_info{{{labels}}} 1.0\n", "text/plain")


@pytest.fixture
def sized() -> Iterator[SizedEngine]:
    engine = SizedEngine()
    with engine:
        yield engine


def kv_tokens(running: GatewayProcess) -> Any:
    return running.state()["kv_tokens"]


def knows(running: GatewayProcess, budget: int) -> None:
    until(lambda: kv_tokens(running)["budget"] == budget, 10, f"a budget of {budget}")


def held_at(gate: str, max_tokens: int) -> bytes:
    """A request of so many tokens and a few for its prompt, which ends when the gate opens."""
    return post({"max_tokens": max_tokens, "script": [["gate", gate], *SERVED]})


def has_come(running: GatewayProcess, number: int) -> None:
    until(lambda: running.state()["arrived"] == number, 5, f"{number} requests at the gateway")


@pytest.fixture
def sent() -> Iterator[Sent]:
    """Sends a request to a gateway on a connection of its own, closed after the test."""
    clients: list[Raw] = []

    def send(running: GatewayProcess, request: bytes) -> Raw:
        clients.append(Raw(running.port))
        clients[-1].send(request)
        return clients[-1]

    yield send
    for client in clients:
        client.close()


def arrived(engine: ScriptedEngine, number: int) -> None:
    until(lambda: len(engine.seen) == number, 5, f"{number} requests at the engine")


def test_by_default_nothing_counts_tokens(sized: SizedEngine, sent: Sent) -> None:
    """As ever: slots alone, no metric, and the engine is not asked."""
    with gateway(sized.url, max_active=2) as running:
        clients = [sent(running, held_at("g", 1_000_000)) for _ in range(2)]
        arrived(sized, 2)
        assert kv_tokens(running) is None
        assert "gateway_kv" not in running.get("/metrics")[2].decode()
        sized.open_gate("g")
        assert [client.answer()[0] for client in clients] == [200, 200]
        assert sized.control["/health"]
        assert not sized.control["/metrics"]


def test_what_runs_fits_and_an_oversize_request_runs_alone(sized: SizedEngine, sent: Sent) -> None:
    """Budget 160: two of 60 and a prompt run, the third waits; one of 1,000 waits for all of them, is served,
    and nobody runs beside it; who came later comes after it.
    """
    with gateway(sized.url, slot_cost="tokens", max_active=MANY) as running:
        knows(running, 160)
        clients = []
        for k in range(3):
            clients.append(sent(running, held_at(f"g{k}", 60)))
            has_come(running, k + 1)
        arrived(sized, 2)
        state = running.state()
        assert (state["active"], state["queued"]) == (2, 1)
        assert 120 <= state["kv_tokens"]["held"] <= 160 < 1.5 * state["kv_tokens"]["held"]
        clients.append(sent(running, held_at("large", 1000)))
        until(lambda: running.state()["queued"] == 2, 5, "the large one waits")
        clients.append(sent(running, held_at("last", 10)))
        until(lambda: running.state()["queued"] == 3, 5, "the last one waits")
        sized.open_gate("g0")
        assert clients[0].answer()[0] == 200
        arrived(sized, 3)
        sized.open_gate("g1")
        assert clients[1].answer()[0] == 200
        assert running.state()["active"] == 1
        sized.open_gate("g2")
        assert clients[2].answer()[0] == 200
        arrived(sized, 4)
        state = running.state()
        assert (state["active"], state["queued"]) == (1, 1)
        assert running.metric("gateway_kv_tokens_held") == state["kv_tokens"]["held"] > 1000
        assert running.metric("gateway_kv_tokens_limit") == 160
        sized.open_gate("large")
        assert clients[3].answer()[0] == 200
        arrived(sized, 5)
        sized.open_gate("last")
        assert clients[4].answer()[0] == 200
        until(lambda: kv_tokens(running)["held"] == 0, 5, "nothing is held")


def test_slots_bound_as_well(sized: SizedEngine, sent: Sent) -> None:
    """However small the requests are."""
    with gateway(sized.url, slot_cost="tokens", max_active=1) as running:
        knows(running, 160)
        clients = [sent(running, held_at("g", 1)) for _ in range(2)]
        until(lambda: running.state()["queued"] == 1, 5, "one waits")
        sized.open_gate("g")
        assert [client.answer()[0] for client in clients] == [200, 200]
        assert sized.peak == 1


def test_a_refusal_says_what_binds(sized: SizedEngine, sent: Sent) -> None:
    """With slots free: tokens, at the door, after a wait in vain, and where nobody may wait."""
    settings = {"slot_cost": "tokens", "max_active": MANY, "queue_max": 1, "queue_timeout_s": 0.5}
    with gateway(sized.url, **settings) as running:
        knows(running, 160)
        runs = sent(running, held_at("g", 100))
        arrived(sized, 1)
        waits = sent(running, held_at("g", 100))
        until(lambda: running.state()["queued"] == 1, 5, "one waits")
        for status, got in ((429, sent(running, held_at("g", 100))), (503, waits)):
            told, _, body = got.answer()
            message = json.loads(body)["error"]["message"]
            assert told == status
            assert "too few of the 160 kv cache tokens are free" in message.lower(), message
            assert "slots are busy" not in message
        running.limits(queue_mode="reject")
        told, _, body = sent(running, held_at("g", 100)).answer()
        assert (told, b"Too few of the 160 KV cache tokens are free." in body) == (429, True)
        running.limits(max_active=1)
        assert b"All 1 slots are busy." in sent(running, held_at("g", 100)).answer()[2]
        sized.open_gate("g")
        assert runs.answer()[0] == 200


def test_the_first_usage_sets_an_estimate_right(sized: SizedEngine, sent: Sent) -> None:
    """An engine that tells its usage with every token: who waits starts while the first one still runs."""
    first = {
        "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    script = [
        ["send", SSE_HEAD + chunk(f"data: {json.dumps(first)}\n\n")],
        ["gate", "end"],
        ["send", chunk("data: [DONE]\n\n") + "0\r\n\r\n"],
    ]
    begin = [["gate", "begin"], *script]
    long = {"stream": True, "max_tokens": 10, "script": begin}
    long["messages"] = [{"role": "user", "content": "word " * 130}]
    with gateway(sized.url, slot_cost="tokens", max_active=MANY) as running:
        knows(running, 160)
        one = sent(running, post(long))
        arrived(sized, 1)
        before = kv_tokens(running)["held"]
        other = sent(running, held_at("other", 60))
        until(lambda: running.state()["queued"] == 1, 5, "the other one waits")
        sized.open_gate("begin")
        arrived(sized, 2)
        state = running.state()
        assert (state["active"], state["queued"]) == (2, 0)
        assert state["kv_tokens"]["held"] < before
        for gate in ("end", "other"):
            sized.open_gate(gate)
        one.read_until(b"[DONE]")
        assert other.answer()[0] == 200


def test_an_engine_that_does_not_tell(sized: SizedEngine) -> None:
    """Slots count requests, which the log says once and the state says as long as it is so."""
    sized.blocks = None
    with gateway(sized.url, slot_cost="tokens", max_active=MANY, probe_interval_s=0.05) as running:
        until(lambda: sized.control["/metrics"] > 3, 10, "it was asked")
        now = kv_tokens(running)
        assert now["budget"] is None
        assert "set KV_TOKENS" in now["why"]
        until(lambda: "slots count requests only" in running.log(), 5, "a warning")
        assert running.chat(max_tokens=1_000_000)[0] == 200
        sized.blocks = 7
        knows(running, 7 * BLOCK)
        until(lambda: "slots count tokens" in running.log(), 5, "a line in the log")
        assert running.log().count("slots count requests only") == 1


def test_the_cost_changes_while_requests_run(sized: SizedEngine, sent: Sent) -> None:
    """What ran before holds nothing, then what runs fits; and back: whoever waits for tokens starts."""
    with gateway(sized.url, max_active=MANY) as running:
        first = sent(running, held_at("first", 1000))
        arrived(sized, 1)
        assert running.limits(slot_cost="tokens")["slot_cost"] == "tokens"
        knows(running, 160)
        assert kv_tokens(running)["held"] == 0
        clients = [sent(running, held_at(name, 100)) for name in ("second", "third")]
        until(lambda: running.state()["queued"] == 1, 5, "one waits")
        assert kv_tokens(running)["held"] > 100
        assert running.limits(slot_cost="requests")["slot_cost"] == "requests"
        arrived(sized, 3)
        assert kv_tokens(running) is None
        for gate in ("first", "second", "third"):
            sized.open_gate(gate)
        assert [client.answer()[0] for client in (first, *clients)] == [200, 200, 200]
        asked = sized.control["/metrics"]
        until(lambda: sized.control["/health"] > 2, 10, "probed again")
        assert sized.control["/metrics"] == asked


def test_the_operator_may_tell(sized: SizedEngine) -> None:
    """Then the engine is not asked."""
    with gateway(sized.url, slot_cost="Tokens", kv_tokens=500) as running:
        assert kv_tokens(running) == {"held": 0.0, "budget": 500, "why": "KV_TOKENS"}
        until(lambda: sized.control["/health"] > 1, 10, "probed")
        assert not sized.control["/metrics"]


def test_another_engine_with_another_cache() -> None:
    """Its size is asked as soon as it answers again."""
    port = free_port()
    with gateway(f"http://127.0.0.1:{port}", slot_cost="tokens", probe_interval_s=0.05) as running:
        assert kv_tokens(running)["budget"] is None
        with SizedEngine(port=port):
            knows(running, 160)
        until(lambda: running.get("/ready")[0] == 503, 10, "the engine is away")
        assert kv_tokens(running)["budget"] == 160
        with SizedEngine(port=port, blocks=20):
            knows(running, 320)


def test_the_emulator_is_never_offered_more_than_it_holds(tmp_path: Path) -> None:
    """Sixteen clients with short and long requests; looked at after every answer: no more is held than the
    budget, which is the emulator's own, and one request.
    """
    budget, clients, each, largest = 40 * BLOCK, 16, 4, 250
    sizes = ["--set", "num_gpu_blocks=40", "--set", "base_s=0.002"]
    choice = engines.choose("emulator", profile="exact", engine_args=sizes)
    seen: list[tuple[float, int]] = []
    lock = threading.Lock()
    with (
        engines.running(choice, log_dir=tmp_path) as engine,
        gateway(engine.url, slot_cost="tokens", max_active=64, model_name="emulated") as running,
    ):
        knows(running, budget)

        def client(number: int) -> list[int]:
            random, statuses = Random(number), []
            for _ in range(each):
                tokens = random.choice([20, 20, 20, 150])
                text = "one word and the next one " * (tokens // 10)
                message = {"role": "user", "content": text}
                asked = {"max_tokens": tokens, "min_tokens": tokens, "messages": [message]}
                statuses.append(running.chat(**asked)[0])
                state = running.state()
                with lock:
                    seen.append((state["kv_tokens"]["held"], state["running"]))
            return statuses

        with ThreadPoolExecutor(clients) as threads:
            statuses = list(threads.map(client, range(clients)))
        assert statuses == [[200] * each] * clients
        assert running.state()["kv_tokens"]["held"] == 0.0
    assert all(held <= budget + largest for held, _ in seen)
    assert max(count for _, count in seen) > 2
    print(f"most held {max(seen)[0]:.0f} of {budget}, most running {max(count for _, count in seen)}")


def test_a_need_is_learnt_by_tenant() -> None:
    """Prompt and answer; token ids are counted, not estimated."""
    needs = TokenNeeds()
    text = ["words of a prompt that are long enough to tell " * 10]
    first = needs.of(text, 2, 100, "a")
    for _ in range(100):
        needs.of(text, 2, 100, "a").learn(110, 40, whole=True)
    later, other = needs.of(text, 2, 100, "a"), needs.of(text, 2, 100, "b")
    assert other.tokens == first.tokens
    assert later.tokens == pytest.approx(110 + 2 * 20, rel=0.05)
    assert needs.of([[7] * 50], 1, 10, "c").tokens == 60
    cut = needs.of(text, 1, 100, "d")
    cut.learn(None, 1, whole=False)
    assert needs.of(text, 1, 100, "d").tokens == cut.tokens


def test_only_the_first_usage_counts() -> None:
    """What is malformed is none."""
    need = TokenNeeds().of(["a b c"], 1, 10)
    assert [need.counted(usage) for usage in (None, {}, {"prompt_tokens": "x"}, {"prompt_tokens": 0})] == [
        None
    ] * 4
    assert need.counted({"prompt_tokens": 30}) == 40
    assert need.counted({"prompt_tokens": 50}) is None
    assert need.tokens == 40


def test_tenants_are_not_remembered_without_bound() -> None:
    """The first one is forgotten."""
    needs = TokenNeeds()
    for number in range(MOST_TENANTS + 1):
        needs.of([], 1, 1, f"{number}")
    assert len(needs._tenants) == MOST_TENANTS


@pytest.mark.parametrize(
    ("page", "tokens"),
    [
        ('vllm:cache_config_info{block_size="16",num_gpu_blocks="10"} 1.0', 160),
        (
            "# HELP x\nother 1\n"
            'vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="10"} 1.0\n'
            'vllm:cache_config_info{block_size="16",engine="1",num_gpu_blocks="5"} 1.0\n',
            240,
        ),
        ('vllm:cache_config_info{block_size="16",num_gpu_blocks="None"} 1.0', None),
        ('vllm:cache_config_info{num_gpu_blocks="10"} 1.0', None),
        ('vllm:cache_config_info{block_size="0",num_gpu_blocks="0"} 1.0', None),
        ("<html>", None),
        ("", None),
    ],
)
def test_the_size_of_the_cache_is_read(page: str, tokens: int | None) -> None:
    """Of all engines behind one server; of a page that does not tell, nothing."""
    assert cache_size(page) == (None if tokens is None else CacheSize(tokens, 16))
