"""The folder of a watch: it learns, judges, goes on after a kill, and tells Prometheus."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from experiments.drift.baseline import Source, learn
from experiments.drift.book import Book, said_of
from experiments.drift.exporter import Exporter, announced, served
from experiments.drift.prober import Budget, Prober
from experiments.drift.round import Round
from experiments.errors import UserError
from experiments.stack.ports import free_port
from experiments.stats.cusum import Moved
from loadtests.reach.endpoint import Endpoint

EVERY_S = 300.0


def rounds(seed: int, count: int, slower: float = 1.0, start: int = 0) -> Iterator[Round]:
    """Eight answers each, of an engine that takes 10 ms and a tenth of one for each other in flight."""
    rng = np.random.default_rng([seed, start])
    for number in range(start, start + count):
        others = rng.uniform(0.0, 40.0, 8)
        tpot_s = slower * (0.010 + 0.0001 * others) * rng.lognormal(0.0, 0.04, 8)
        yield Round(number * EVERY_S, others.tolist(), tpot_s.tolist())


def _book(folder: Path, model: str = "m") -> Book:
    return Book.open(folder, model, Source.PROBE, EVERY_S, 60)


def test_the_baseline_knows_that_a_busier_engine_is_slower() -> None:
    """Quiet and busy rounds of the same engine are no drift, and a moment busier than any is not judged."""
    known = learn(list(rounds(1, 100)), "m", Source.PROBE, EVERY_S)
    for others in (2.0, 35.0):
        found = known.residual(Round(0.0, [others], [0.010 + 0.0001 * others]))
        assert found is not None
        assert found[0] == pytest.approx(0.0, abs=0.02)
    slower = known.residual(Round(0.0, [20.0], [0.012 * 1.1]))
    assert slower is not None
    assert slower[0] == pytest.approx(np.log(1.1), abs=0.02)
    assert known.residual(Round(0.0, [80.0], [0.1])) is None
    assert known.residual(Round(0.0, [], [])) is None


def test_it_learns_judges_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """Also behind a line that a kill tore."""
    book = _book(tmp_path)
    for one in rounds(2, 70):
        book.take(one)
    assert book.test is not None
    assert (book.test.judged, book.test.sums.moved) == (10, Moved.NO)
    with (tmp_path / "rounds.jsonl").open("a") as file:
        file.write('{"at_unix_s": 1, "in_fl')
    for one in rounds(2, 20, slower=1.1, start=70):
        book = _book(tmp_path)
        book.take(one)
    assert book.test is not None
    assert book.test.judged == 30
    assert book.test.sums.moved is Moved.UP
    assert "slower than the baseline, found 1970-01-01" in said_of(book.test)
    for one in rounds(2, 40, start=90):
        book.take(one)
    ended: Moved = book.test.sums.moved
    assert ended == Moved.NO
    assert [one.moved for one in book.test.episodes] == [Moved.UP]
    assert book.test.episodes[0].until_unix_s is not None


def test_another_model_is_not_held_against_this_baseline(tmp_path: Path) -> None:
    book = _book(tmp_path)
    for one in rounds(3, 60):
        book.take(one)
    with pytest.raises(UserError, match=r"another model \(m\)"):
        _book(tmp_path, "other")


def test_prometheus_reads_it(tmp_path: Path) -> None:
    """Over real HTTP; the file of targets is there meanwhile."""
    book, exporter, port = _book(tmp_path / "w"), Exporter("m"), free_port()
    for one in (*rounds(4, 60), *rounds(4, 20, slower=1.2, start=60)):
        book.take(one)
    prober = Prober(Endpoint.parse("http://127.0.0.1:1"), "m")
    targets = tmp_path / "watch.json"
    with served(exporter, "127.0.0.1", port), announced("127.0.0.1", port, targets):
        exporter.show(book, prober, 1234.0)
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        named = json.loads(targets.read_text())
    assert 'headroom_watch_drift{model="m"} 1.0' in page
    assert 'headroom_watch_last_round_timestamp_seconds{model="m"} 1234.0' in page
    (slower,) = (line for line in page.splitlines() if line.startswith("headroom_watch_slowdown_ratio{"))
    assert 0.15 < float(slower.split()[-1]) < 0.25
    assert named == [{"targets": [f"127.0.0.1:{port}"], "labels": {"job": "watch"}}]
    assert not targets.exists()


def test_probes_take_two_per_cent_of_what_users_take() -> None:
    """What was not spent is kept for an hour of rounds; what nobody is hurt by is free."""
    budget = Budget()
    budget.earn(1000.0)
    assert budget.left_s == pytest.approx(20.0)
    budget.spend(15.0, alone=False)
    budget.spend(100.0, alone=True)
    assert budget.left_s == pytest.approx(5.0)
    assert budget.share == pytest.approx(0.015)
    for _ in range(50):
        budget.earn(1000.0)
    assert budget.left_s == pytest.approx(240.0)
    budget.earn(0.0)
    assert budget.left_s <= 240.0
