"""People keep their objective beside a batch. Long evidence: `make prove`; figures are printed (-s)."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from random import Random

import pytest

from experiments.stack import engine as engines
from tests.gateway.open_loop import offer
from tests.gateway.process import gateway
from tests.gateway.stand import post
from tests.loadtests.batch.batch_files import line, results, started, written

pytestmark = pytest.mark.prove
SLOTS, TOKENS, TOKEN_S = 4, 20, 0.01
CAPACITY_PER_S = SLOTS / (TOKENS * TOKEN_S)
SECONDS, OBJECTIVE_S = 30.0, 1.0
LANES = """
[[class]]
name = "interactive"
slots_reserved = 1
[[class]]
name = "batch"
[[tenant]]
name = "people"
class = "interactive"
[[tenant]]
name = "night"
class = "batch"
[[tenant]]
name = "other"
class = "interactive"
trusted = true
"""


def test_people_keep_their_objective(tmp_path: Path) -> None:
    """At half the capacity their attainment falls by one point at most, and the batch gets most of what is
    free, its begin with one request at once counted in.
    """
    random = Random(13)
    rate_per_s = 0.5 * CAPACITY_PER_S
    gaps = (random.expovariate(rate_per_s) for _ in range(int(rate_per_s * SECONDS)))
    due_s = list(accumulate(gaps))
    fields = {"max_tokens": TOKENS, "min_tokens": TOKENS, "messages": [{"role": "user", "content": "hello"}]}
    asked = [post(fields, "x-headroom-tenant: people", "connection: close") for _ in due_s]
    file = written(tmp_path, (line(f"r{k}", **fields, model="emulated") for k in range(5000)))
    lanes = tmp_path / "lanes.toml"
    lanes.write_text(LANES)
    settings = {"max_active": SLOTS, "queue_max": 40, "queue_timeout_s": 10, "lanes_file": lanes}
    choice = engines.choose("emulator", profile="exact")

    def attainment(port: int) -> float:
        ended = offer(port, due_s, asked)
        return sum(end.status == 200 and end.took_s <= OBJECTIVE_S for end in ended) / len(ended)

    with (
        engines.running(choice, log_dir=tmp_path) as engine,
        gateway(engine.url, model_name="emulated", **settings) as running,
    ):
        alone = attainment(running.port)
        batch = started(file, running.url, "--tenant", "night")
        try:
            beside = attainment(running.port)
            got = len(results(file))
        finally:
            batch.kill()
            batch.wait()
    free = (CAPACITY_PER_S - rate_per_s) * due_s[-1]
    print(
        f"attainment {alone:.4f} alone, {beside:.4f} beside; the batch got {got} of {free:.0f} that were free"
    )
    assert beside >= alone - 0.01
    assert got >= 0.5 * free
