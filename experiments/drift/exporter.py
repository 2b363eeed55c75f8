"""What a watch tells Prometheus: a page of its own, on the loopback unless somebody wants it elsewhere."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from experiments.drift.book import Book
from experiments.drift.prober import Prober
from experiments.errors import EnvironmentProblem, UserError
from experiments.files import write_json
from experiments.stats.cusum import Moved

SIGN = {Moved.UP: 1, Moved.NO: 0, Moved.DOWN: -1}


class Exporter:
    """The gauges; `model` is their label."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()

        def gauge(name: str, text: str) -> Gauge:
            made = Gauge(f"headroom_watch_{name}", text, ["model"], registry=self.registry)
            return made.labels(model)

        self._drift = gauge("drift", "1: the engine is slower than its baseline, -1: faster, 0: as fast.")
        self._slower = gauge("slowdown_ratio", "How much slower while it drifts: 0.1 is 10 %.")
        self._sum = gauge("sum_ratio", "The larger sum of the test over its bound; above 1 it drifts.")
        self._learning = gauge("learning", "1 while the baseline is being learned.")
        self._rounds = gauge("rounds", "Rounds that were judged.")
        self._last = gauge("last_round_timestamp_seconds", "Unix time of the last round with an answer.")
        self._every = gauge("every_seconds", "Time between rounds.")
        self._share = gauge("probe_share_ratio", "Slot-seconds of the probes over those of users.")
        self._failed = gauge("probes_failed", "Probes without an answer.")

    def show(self, book: Book, prober: Prober | None, answered_unix_s: float) -> None:
        """Set everything; `answered_unix_s`: time of the last round with an answer."""
        test = book.test
        self._learning.set(test is None)
        self._last.set(answered_unix_s)
        self._every.set(book.every_s)
        if test is not None:
            sums, bound = test.sums, test.baseline.design.bound
            self._drift.set(SIGN[sums.moved])
            self._slower.set(math.expm1(sums.size))
            self._sum.set(max(sums.up, sums.down) / bound)
            self._rounds.set(test.judged)
        if prober is not None:
            self._share.set(prober.budget.share)
            self._failed.set(prober.failed)


@contextlib.contextmanager
def served(exporter: Exporter, host: str, port: int) -> Iterator[None]:
    """The page at http://host:port/metrics inside the `with` block.

    Raises:
        EnvironmentProblem: the port is taken.
    """
    try:
        server, thread = start_http_server(port, host, exporter.registry)
    except OSError as error:
        raise EnvironmentProblem(
            f"the watch cannot listen at {host}:{port} ({error.strerror}); name another --metrics-port"
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def announced(host: str, port: int, path: Path | None) -> Iterator[None]:
    """The page named to a Prometheus inside the `with` block, in a file of targets (`file_sd_configs`); None:
    whoever scrapes knows the address.

    Raises:
        UserError: the file cannot be written.
    """
    if path is None:
        yield
        return
    try:
        write_json(path, [{"targets": [f"{host}:{port}"], "labels": {"job": "watch"}}])
        path.chmod(0o644)
    except OSError as error:
        raise UserError(f"--targets-file {path}: {error.strerror}") from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
