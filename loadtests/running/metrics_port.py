"""The generator's own metrics in Prometheus text, on a port of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

from gevent.pywsgi import WSGIServer

from loadtests.outcome import Outcome
from loadtests.recording.live import Live


def serve(host: str, port: int, now: Callable[[], tuple[Live, Path | None]]) -> WSGIServer:
    """Answer every GET with the metrics of `now()`: totals, and the folder of the run if there is one.

    Raises OSError when the port is taken. Stop it with `.stop()`.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("content-type", "text/plain; version=0.0.4; charset=utf-8")])
        return ["".join(f"{line}\n" for line in text(*now())).encode()]

    server = WSGIServer((host, port), answer, log=None, error_log=None)
    server.start()
    return server


def text(live: Live, folder: Path | None = None) -> Iterator[str]:
    """The lines of the exposition."""
    yield "# HELP loadgen_run_info Always 1; names the run, and the cell of a sweep."
    yield "# TYPE loadgen_run_info gauge"
    if folder is not None:
        run, cell = (_label_value(name) for name in _names(folder))
        yield f'loadgen_run_info{{run="{run}",cell="{cell}"}} 1'
    for name, kind, meaning, value in (
        ("loadgen_planned_requests", "gauge", "Requests of the plan.", live.planned),
        ("loadgen_due_requests_total", "counter", "Requests due so far.", live.due),
        ("loadgen_sent_requests_total", "counter", "Requests sent so far.", live.sent),
        ("loadgen_in_flight_requests", "gauge", "Requests sent and not ended.", live.in_flight),
        ("loadgen_output_tokens_total", "counter", "Output tokens of served requests.", live.output_tokens),
        ("loadgen_chunks_total", "counter", "Chunks with content received.", live.chunks),
    ):
        if value is None:  # tokens that the engine does not report are not zero
            continue
        yield from (f"# HELP {name} {meaning}", f"# TYPE {name} {kind}", f"{name} {value}")
    yield "# HELP loadgen_requests_total Requests that ended, by outcome."
    yield "# TYPE loadgen_requests_total counter"
    for outcome in Outcome:
        yield f'loadgen_requests_total{{outcome="{outcome}"}} {live.outcomes.get(outcome, 0)}'
    yield "# HELP loadgen_send_lag_seconds How much later than due requests were sent."
    yield "# TYPE loadgen_send_lag_seconds summary"
    for q in (0.5, 0.99):
        value_s = live.send_lag.quantile(q)
        shown = "NaN" if value_s is None else f"{value_s:.6g}"
        yield f'loadgen_send_lag_seconds{{quantile="{q}"}} {shown}'
    yield f"loadgen_send_lag_seconds_sum {live.send_lag.total:.6g}"
    yield f"loadgen_send_lag_seconds_count {live.send_lag.n}"


def _names(folder: Path) -> tuple[str, str]:
    """Run and cell: a cell lies in its run's folder `cells/`, as `.NAME.partial` until it is over; any other
    folder is a run by itself."""
    if folder.parent.name != "cells":
        return folder.name, ""
    return folder.parent.parent.name, folder.name.removeprefix(".").removesuffix(".partial")


def _label_value(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
