"""The numbers are those of the server's own log; a stall shows in full; self-made lags are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.loadtests.harness import Ran, Upstream, run, upstream

QUANTILES = (0.5, 0.95, 0.99)


def truth(server: Upstream, ran: Ran) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(by the client, by the server's log) for TTFT, ITL and E2E, seconds, all from the due
    time, ok requests only."""
    start_s = ran.load["started_monotonic_s"]
    log = {entry["id"]: entry for entry in server.log()}
    pairs: dict[str, list[tuple[float, float]]] = {"ttft_s": [], "itl_s": [], "e2e_s": []}
    for record in ran.records:
        if record.outcome != "ok":
            continue
        chunks = [at - start_s for at in log[record.request_id]["chunks_s"]]
        assert len(chunks) == len(record.chunk_times_s)
        pairs["ttft_s"].append((record.ttft_s or 0.0, chunks[0] - record.due_s))
        pairs["e2e_s"].append((record.e2e_s or 0.0, log[record.request_id]["end_s"] - start_s - record.due_s))
        pairs["itl_s"] += zip(np.diff(record.chunk_times_s), np.diff(chunks), strict=True)
    return {name: (np.array([a for a, _ in p]), np.array([b for _, b in p])) for name, p in pairs.items()}


@pytest.mark.prove
def test_quantiles_are_those_of_the_servers_log(tmp_path: Path) -> None:
    """At 2,000 chunks/s: TTFT, ITL and E2E p50, p95, p99 within 1 ms or 1 % of what the server wrote down."""
    with upstream(tmp_path, ttft_s=0.15, gap_s=0.02) as server:
        flags = ("--rate", "20", "--warmup", "1", "--duration", "20", "--output-tokens", "100", "--seed", "0")
        ran = run(server.url, tmp_path / "run", *flags)
        compared = truth(server, ran)
    ran.assert_conserved()
    for name, (client, real) in compared.items():
        for q in QUANTILES:
            measured, true = float(np.quantile(client, q)), float(np.quantile(real, q))
            print(f"{name} p{q * 100:g}: client {measured * 1e3:.3f} ms, server {true * 1e3:.3f} ms")
            assert abs(measured - true) <= max(1e-3, 0.01 * true), (
                f"{name} p{q * 100:g}: {measured} for {true}"
            )


def test_each_request_is_measured_as_the_server_did_it(tmp_path: Path) -> None:
    """Typical error of TTFT, of a gap and of E2E far below the gap; a reader that waits for
    full blocks fails here."""
    with upstream(tmp_path, ttft_s=0.06, gap_s=0.03) as server:
        flags = ("--rate", "10", "--warmup", "0", "--duration", "3", "--output-tokens", "10", "--seed", "0")
        ran = run(server.url, tmp_path / "run", *flags)
        compared = truth(server, ran)
    ran.assert_conserved()
    for name, (client, real) in compared.items():
        assert float(np.median(np.abs(client - real))) < 8e-3, name
    assert np.mean(compared["itl_s"][0] < 0.005) < 0.2


def test_a_stall_shows_in_full_under_open_loop_and_hides_under_closed(tmp_path: Path) -> None:
    """A server silent for 2 s: from the due time p99 has all of it; four users asking in
    turn hardly see it."""
    flags = ("--warmup", "0", "--duration", "5", "--output-tokens", "3", "--seed", "0")
    open_dir, closed_dir = tmp_path / "open", tmp_path / "closed"
    with upstream(tmp_path, ttft_s=0.02, gap_s=0.001, stall=[1.5, 2]) as server:
        opened = run(server.url, open_dir, "--scenario", "constant", "--rate", "80", *flags)
    with upstream(tmp_path, ttft_s=0.02, gap_s=0.001, stall=[1.5, 2]) as server:
        closed = run(server.url, closed_dir, "--scenario", "closed", "--vusers", "4", *flags)
    due = opened.load["summary"]["latency"]["ttft_s"]
    assert due["n"] == 400
    assert 1.8 < due["p99"]["value"] < 2.3
    slow = [r for r in opened.records if (r.ttft_s or 0) > 0.2]
    assert len(slow) == pytest.approx(0.9 * 160, rel=0.15)
    naive = [r for r in closed.records if (r.ttft_s or 0) > 0.2]
    assert len(naive) <= 4
    assert closed.load["summary"]["latency"]["ttft_s"]["p95"]["value"] < 0.2
