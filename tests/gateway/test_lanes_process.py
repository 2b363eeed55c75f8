"""What lanes promise, seen through the real process: who floods harms nobody, classes wait as Cobham says,
tokens are shared by weight. Long evidence: `make prove`. Figures are printed, run with -s to see them.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from pathlib import Path
from random import Random

import pytest

from benchmarks.lanes.closed_forms import cobham
from benchmarks.lanes.virtual import Stream
from experiments.stack import engine as engines
from tests.gateway.open_loop import offer
from tests.gateway.process import GatewayProcess, gateway
from tests.gateway.queueing import Exact, mean_and_error, mmcq
from tests.gateway.scripted_engine import ScriptedEngine
from tests.gateway.stand import post

pytestmark = pytest.mark.prove
UNIT_S = 0.05
TOKEN_S = 0.01
"""Of the emulator's profile `exact`."""


def poisson(rate_per_s: float, seconds: float, random: Random) -> list[float]:
    gaps = (random.expovariate(rate_per_s) for _ in range(int(rate_per_s * seconds)))
    return list(accumulate(gaps))


def lanes_of(tenants: Mapping[str, Mapping[str, float | str]], classes: Sequence[str]) -> str:
    """A `lanes.toml` in which everybody may say who asks."""
    text = "".join(f'[[class]]\nname = "{name}"\n' for name in classes)
    for name, bounds in tenants.items():
        text += f'[[tenant]]\nname = "{name}"\n' + "".join(
            f"{k} = {json.dumps(v)}\n" for k, v in bounds.items()
        )
    return text + f'[[tenant]]\nname = "other"\nclass = "{classes[-1]}"\ntrusted = true\n'


@contextmanager
def running_with(url: str, folder: Path, lanes: str, **settings: object) -> Iterator[GatewayProcess]:
    path = folder / "lanes.toml"
    path.write_text(lanes)
    with gateway(url, **{"lanes_file": path, **settings}) as running:
        yield running


def of_lanes(running: GatewayProcess, name: str, **labels: str) -> dict[str, float]:
    """A metric by tenant, of the series with these labels."""
    found: dict[str, float] = {}
    for line in running.get("/metrics")[2].decode().splitlines():
        if line.startswith(name + "{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            tenant = re.findall(r'tenant="([^"]*)"', line)[0]
            found[tenant] = found.get(tenant, 0.0) + float(line.rsplit(" ", 1)[1])
    return found


@pytest.mark.parametrize("shares", [(0.4, 0.6), (0.2, 0.3, 0.5)], ids=["2 classes", "3 classes"])
def test_classes_wait_as_cobham_says(
    engine: ScriptedEngine, tmp_path: Path, shares: tuple[float, ...]
) -> None:
    """Exponential work in two and three classes at a load of 0.75: the mean wait of each, with the holding
    time that the gateway itself measured.
    """
    c, load, runs, arrivals = 4, 0.75, 6, 800
    names = [f"class-{k}" for k in range(len(shares))]
    lanes = lanes_of({name: {"class": name} for name in names}, names)
    waits: list[list[float]] = [[] for _ in shares]
    held = []
    for seed in range(1, runs + 1):
        random = Random(seed)
        due_s = poisson(load * c / UNIT_S, arrivals * UNIT_S / (load * c) + 1e-9, random)
        chosen = random.choices(names, shares, k=len(due_s))
        asked = [
            post(
                {"service_s": random.expovariate(1 / UNIT_S)},
                f"x-headroom-tenant: {name}",
                "connection: close",
            )
            for name in chosen
        ]
        settings = {"max_active": c, "queue_max": 100_000, "queue_timeout_s": 100, "request_timeout_s": 200}
        with running_with(engine.url, tmp_path, lanes, **settings) as running:
            ended = offer(running.port, due_s, asked)
            assert {end.status for end in ended} == {200}
            held.append(running.metric("gateway_active_seconds_total") / len(ended) / UNIT_S)
            sums = of_lanes(running, "gateway_lane_queue_wait_seconds_sum")
            for k, name in enumerate(names):
                waits[k].append(sums[name] / chosen.count(name) / UNIT_S)
    mean_held = sum(held) / len(held)
    streams = [Stream(name, load * c * share, mean_held) for name, share in zip(names, shares, strict=True)]
    for k, wanted in enumerate(cobham(c, streams)):
        mean, error = mean_and_error(waits[k])
        print(f"class {k}: {mean:.4f} ± {error:.4f}, Cobham {wanted:.4f}, held {mean_held:.3f}")
        # A millisecond of event loop.
        assert abs(mean - wanted) <= 3 * error + 0.005 * wanted + 0.02


def test_bounded_lanes_are_queues_of_their_own(engine: ScriptedEngine, tmp_path: Path) -> None:
    """Two lanes with slots and places of their own in two classes, both overloaded: each an M/M/c/K."""
    sizes = {"one": (2, 4, 1.2), "two": (3, 6, 1.1)}
    lanes = lanes_of(
        {name: {"class": name, "slots_max": c, "queue_max": q} for name, (c, q, _) in sizes.items()}, [*sizes]
    )
    estimates: dict[str, list[Exact]] = {name: [] for name in sizes}
    held = []
    rates = {name: rho * c / UNIT_S for name, (c, _, rho) in sizes.items()}
    for seed in range(1, 7):
        random = Random(seed)
        due_s = poisson(sum(rates.values()), 9.0, random)
        chosen = random.choices([*rates], [*rates.values()], k=len(due_s))
        asked = [
            post(
                {"service_s": random.expovariate(1 / UNIT_S)},
                f"x-headroom-tenant: {name}",
                "connection: close",
            )
            for name in chosen
        ]
        settings = {"max_active": 5, "queue_max": 1000, "queue_timeout_s": 100, "request_timeout_s": 200}
        with running_with(engine.url, tmp_path, lanes, **settings) as running:
            ended = offer(running.port, due_s, asked)
            served = sum(end.status == 200 for end in ended)
            held.append(running.metric("gateway_active_seconds_total") / served / UNIT_S)
            refused = of_lanes(running, "gateway_lane_requests_total", outcome="rejected_full")
            sums = of_lanes(running, "gateway_lane_queue_wait_seconds_sum")
            for name in sizes:
                offered = chosen.count(name)
                let_in = offered - refused.get(name, 0.0)
                estimates[name].append(Exact(1 - let_in / offered, 0.0, sums[name] / let_in / UNIT_S))
    mean_held = sum(held) / len(held)
    for name, (c, q, rho) in sizes.items():
        exact = mmcq(c, q, rho * c * mean_held)
        for what, scale, slack in (("blocked", 1.0, 1e-3), ("queue_time", mean_held, 0.02)):
            mean, error = mean_and_error([getattr(one, what) for one in estimates[name]])
            wanted = getattr(exact, what) * scale
            print(f"{name} {what}: {mean:.4f} ± {error:.4f}, exact {wanted:.4f}, held {mean_held:.3f}")
            assert abs(mean - wanted) <= 3 * error + 0.005 * wanted + slack


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Ten milliseconds a token, whatever the batch."""
    choice = engines.choose("emulator", profile="exact")
    with engines.running(choice, log_dir=tmp_path_factory.mktemp("emulator")) as running:
        yield running.url


@pytest.mark.fault(113)
def test_a_flood_harms_nobody_else(emulator: str, tmp_path: Path) -> None:
    """A offers ten times the capacity, B 0.35 of it, equal weights: B keeps 95 % of its goodput or more."""
    slots, tokens, seconds, objective_s = 4, 20, 15.0, 1.0
    capacity_per_s = slots / (tokens * TOKEN_S)
    lanes = lanes_of({"a": {"class": "all"}, "b": {"class": "all"}}, ["all"])
    random = Random(113)
    due_s = {
        "a": poisson(10 * capacity_per_s, seconds, random),
        "b": poisson(0.35 * capacity_per_s, seconds, random),
    }
    fields = {"max_tokens": tokens, "min_tokens": tokens, "messages": [{"role": "user", "content": "hello"}]}

    def goodput(*tenants: str) -> float:
        """Of b, a second, while these tenants send."""
        sent = sorted((at_s, name) for name in tenants for at_s in due_s[name])
        asked = [post(fields, f"x-headroom-tenant: {name}", "connection: close") for _, name in sent]
        settings = {"max_active": slots, "queue_max": 40, "queue_timeout_s": 5, "model_name": "emulated"}
        with running_with(emulator, tmp_path, lanes, **settings) as running:
            ended = offer(running.port, [at_s for at_s, _ in sent], asked)
            told = {
                name: of_lanes(running, "gateway_lane_requests_total", outcome=name)
                for name in ("ok", "rejected_full")
            }
        own = [end for end, (_, name) in zip(ended, sent, strict=True) if name == "b"]
        good = sum(end.status == 200 and end.took_s <= objective_s for end in own)
        slowest_s = max(end.took_s for end in own)
        print(f"{'+'.join(tenants)}: b {good} of {len(own)} good, slowest {slowest_s:.2f} s, {told}")
        return good / seconds

    alone = goodput("b")
    assert goodput("a", "b") >= 0.95 * alone


def test_tokens_are_shared_by_weight(emulator: str, tmp_path: Path) -> None:
    """Three backlogged tenants with answers of 1:10 and weights 1:2:4: their tokens in every window of 20 s
    are as their weights, within 5 % or one largest request a slot; Jain's index of tokens / weight is 0.98 or
    more.
    """
    slots, window_s, windows = 4, 20.0, 3
    lengths = {"one": (50,), "two": (5, 50), "four": (5,)}
    weights = {"one": 1.0, "two": 2.0, "four": 4.0}
    lanes = lanes_of({name: {"class": "all", "weight": weight} for name, weight in weights.items()}, ["all"])
    settings = {"max_active": slots, "queue_max": 100, "queue_timeout_s": 100, "model_name": "emulated"}
    with running_with(emulator, tmp_path, lanes, **settings) as running:
        used = asyncio.run(_backlogged(running, lengths, window_s, windows))
    for grown in used:
        total = sum(grown.values())
        shares = {name: tokens / weights[name] for name, tokens in grown.items()}
        jain = sum(shares.values()) ** 2 / (len(shares) * sum(share**2 for share in shares.values()))
        print(f"{grown}, Jain {jain:.4f}")
        for name, tokens in grown.items():
            fair = total * weights[name] / sum(weights.values())
            assert abs(tokens - fair) <= max(0.05 * fair, slots * (max(lengths[name]) + 10))
        assert jain >= 0.98


async def _backlogged(
    running: GatewayProcess, lengths: Mapping[str, Sequence[int]], window_s: float, windows: int
) -> list[dict[str, float]]:
    """Twelve clients of each tenant ask again and again; tokens of each tenant in each window, after one of
    five seconds.
    """

    async def client(name: str, random: Random) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        try:
            while True:
                tokens = random.choice(lengths[name])
                fields = {
                    "max_tokens": tokens,
                    "min_tokens": tokens,
                    "messages": [{"role": "user", "content": "x"}],
                }
                writer.write(post(fields, f"x-headroom-tenant: {name}"))
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200")
                await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        finally:
            writer.close()

    clients = [
        asyncio.create_task(client(name, Random(12 * k + number)))
        for k, name in enumerate(lengths)
        for number in range(12)
    ]
    try:
        marks = []
        for pause_s in (5.0, *[window_s] * windows):
            await asyncio.sleep(pause_s)
            marks.append(await asyncio.to_thread(of_lanes, running, "gateway_lane_tokens_total"))
        assert not [task for task in clients if task.done()]
    finally:
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    return [{name: after[name] - before[name] for name in lengths} for before, after in pairwise(marks)]
