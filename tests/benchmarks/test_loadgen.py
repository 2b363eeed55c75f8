"""The page of the load generators' benchmark, from rounds as its file has them."""

from benchmarks.loadgen.report import Results, page


def round_of(chunk_us: float, peer_chunk_us: float, gap_off_ms: float) -> Results:
    """One round of ours and of a peer that cannot hold 1,024 streams."""
    return {
        "a peer": {"64 streams": {"cpu_us_per_chunk": peer_chunk_us, "gap_p99_off_ms": -0.2}},
        "headroom": {
            "64 streams": {"cpu_us_per_chunk": chunk_us, "gap_p99_off_ms": gap_off_ms},
            "1,024 streams": {"cpu_us_per_chunk": 14.0, "gap_p99_off_ratio": 0.021},
        },
    }


ROUNDS = [round_of(20.0, 19.0, 0.004), round_of(22.0, 19.5, 0.001), round_of(24.0, 18.0, 0.2)]


def test_medians_with_their_range() -> None:
    """Ours first, whatever the order in the rounds; a figure that nobody measured is a dash."""
    rows = [line for line in page(ROUNDS, "a machine").splitlines() if line.startswith("| ")]
    ours, peer = (
        next(row for row in rows if row.startswith(f"| {name} | 3 ")) for name in ("headroom", "a peer")
    )
    assert rows.index(ours) < rows.index(peer)
    assert "| 22.0 [20.0 to 24.0] |" in ours
    assert "| – |" in peer
    assert "| gap p99 off, %, 1,024 streams | 2 | 2.1 [2.1 to 2.1] |" in rows


def test_what_is_worse_is_said_first() -> None:
    """By the size of an error, not by its sign."""
    text = page(ROUNDS, "a machine")
    worse = text[text.index("## Worse") : text.index("## Against")]
    assert "CPU µs a chunk, 64 streams: 22.0; a peer 19.0." in worse
    assert "gap p99" not in worse


def test_a_generator_that_failed_is_named() -> None:
    """With the part that it failed at."""
    failed: Results = {"a peer": {"failed": {"requests": 1.0}}}
    assert "- Failed in a round: a peer, requests." in page([*ROUNDS, failed], "a machine")
