"""A request taken apart: the parts add up, and the slow part is named."""

import numpy as np
import pytest

from experiments.stats.breakdown import Stamps, take_apart


def _stamps(n: int = 200, queue: np.ndarray | None = None, **changes: np.ndarray) -> Stamps:
    due = np.arange(n, dtype=float)
    queue = np.zeros(n) if queue is None else queue
    sent = due + 0.001
    first = sent + queue + 0.052  # fifty at the engine, two on the way
    last = first + 0.300
    base = {
        "due_s": due, "sent_s": sent, "first_s": first, "last_s": last,
        "finished_s": last + 0.003, "queue_s": queue,
    }  # fmt: skip
    return Stamps(**{**base, **changes})


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_the_parts_add_up_to_the_latency(q: float) -> None:
    """Nothing is lost between the clocks, and the engine's means split what lies before the first token."""
    queue = np.random.default_rng(0).exponential(0.2, 200)
    parts = take_apart(_stamps(queue=queue), q, engine_queue_mean_s=0.03, prefill_mean_s=0.02)
    assert parts is not None
    total = (
        parts.send_lag_s + parts.gateway_queue_s + parts.network_s + (parts.engine_queue_s or 0)
        + parts.prefill_s + parts.decode_s
    )  # fmt: skip
    assert total == pytest.approx(parts.of_s)
    assert parts.network_s == pytest.approx(0.005)
    assert parts.engine_queue_s == pytest.approx(0.6 * 0.050)


def test_the_slow_part_of_the_slow_request_is_named() -> None:
    """The median waits for nothing; the p95 waits at the gateway."""
    queue = np.where(np.arange(200) % 10 == 0, 2.0, 0.0)
    typical = take_apart(_stamps(queue=queue), 0.5, None, None)
    slow = take_apart(_stamps(queue=queue), 0.95, None, None)
    assert typical is not None
    assert slow is not None
    assert (typical.largest, slow.largest) == ("decode", "gateway_queue")
    assert typical.engine_queue_s is None
    assert typical.prefill_s == pytest.approx(0.052)


def test_an_engine_without_a_gateway_says_nothing_of_queues() -> None:
    """Against a bare engine all before the first token is the engine's."""
    missing = np.full(200, np.nan)
    parts = take_apart(_stamps(queue_s=missing), 0.5, None, None)
    assert parts is not None
    assert parts.gateway_queue_s == 0.0
    assert parts.network_s == pytest.approx(0.003)
    assert parts.prefill_s == pytest.approx(0.052)


def test_nothing_served_has_no_parts() -> None:
    """Four requests are no group."""
    assert take_apart(_stamps(4), 0.95, None, None) is None
