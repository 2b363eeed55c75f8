"""A sweep of an engine that answers `/metrics` with a web page, as LM Studio and many applications do."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest

from experiments.stack import engine
from tests.experiments import sweeping

HTML = b"<!doctype html><title>app</title><p>vllm:num_requests_running 900</p>"
FLAGS = (
    *("--max-active", "3", "--queue-mode", "queue", "--load", "sustained@0.6x", "--slo", "ttft<=1s"),
    *("--design", "grid", "--measure", "4s", "--warm-up", "1s", "--min-requests", "10"),
)


@contextmanager
def with_a_page_for_metrics(engine_url: str) -> Iterator[str]:
    """URL of the same engine, but that connections which begin with a question for metrics get a web page."""
    at = urlsplit(engine_url)
    loop = asyncio.new_event_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65536)
        if first.startswith(b"GET /metrics"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n")
            writer.write(b"content-length: %d\r\n\r\n%s" % (len(HTML), HTML))
            writer.close()
            return
        there, back = await asyncio.open_connection(at.hostname, at.port)
        back.write(first)
        await asyncio.gather(copy(reader, back), copy(there, writer))

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = loop.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def end() -> None:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    server = loop.run_until_complete(asyncio.start_server(begin, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.prove
def test_it_is_swept_without_metrics_and_said_once(tmp_path: Path) -> None:
    """Latencies and counts are there; what only the engine tells is not, and the report says why."""
    with (
        engine.running(engine.choose("emulator"), log_dir=tmp_path) as emulator,
        with_a_page_for_metrics(emulator.url) as url,
    ):
        out = tmp_path / "run"
        done = sweeping.run(out, "--engine-url", url, "--model", emulator.model, *FLAGS)
        config = json.loads((out / "prometheus" / "prometheus.json").read_text())
    assert done.returncode == 0, done.stdout + done.stderr
    said = "its /metrics is an HTML page and no metrics"
    assert (done.stdout + done.stderr).count(said) == 1
    assert "Traceback" not in done.stderr
    assert not any(job["job_name"] == "engine" for job in config["scrape_configs"])
    (summary,) = sweeping.summaries(out)
    assert summary["engine_growth"] is None
    assert sweeping.disagreeing_counts(summary) == []
    assert [row for row in summary["agreement"] if not row["agrees"]] == []
    assert "series_empty" not in {doubt["code"] for doubt in summary["doubts"]}
    series = pd.read_parquet(out / "cells" / summary["cell"] / "series.parquet")
    assert not series["metric"].str.startswith("engine_").any()
    assert "What the engine does not tell." in (out / "report.html").read_text()
