"""Many that are simply there: open streams, idle connections, waiting requests. What each costs, and what its
coming and going does to the others.
"""

import sys
import time
from collections.abc import Iterator

from benchmarks.scale.child import Child, child
from benchmarks.scale.table import Row, Spread
from benchmarks.scale.trial import FOREVER, WHOLE, Trial, stream, trial

CROWD, PINGER = "benchmarks.scale.crowd", "benchmarks.scale.pinger"
OPENED_PER_S = 2_000


def streams(count: int, seconds: float) -> Iterator[Row]:
    """Open streams of one chunk a second each: memory, a chunk's CPU time beside that of few, and pauses."""
    few = min(64, count)
    with (
        trial(max_active=count + 10, max_connections=count + 1000, idle_timeout_s=300) as running,
        child(CROWD, running.port, stream(FOREVER, 1000.0 * few / count)) as alone,
        child(CROWD, running.port, stream(FOREVER, 1000)) as crowd,
        child(PINGER, running.port) as pinger,
    ):
        idle = _pauses(pinger, seconds)
        alone.ask("open", few, OPENED_PER_S)  # few that make as many chunks a second
        alone_us = _chunk_us(running, alone, seconds)
        alone.ask("close", few)
        before = running.rss_bytes()
        pinger.ask("report")
        crowd.ask("open", count, OPENED_PER_S)
        running.until(lambda state: state["active"] >= count, "all streams run")
        time.sleep(2.0)
        yield Row(
            "open streams",
            count,
            "opened, 2,000 a second",
            kb_each=(running.rss_bytes() - before) / count / 1e3,
            pause=pinger.ask("report"),
            pause_idle=idle,
        )
        chunk_us = _chunk_us(running, crowd, seconds)
        yield Row(
            *("open streams", count, "a chunk, one a second each", chunk_us, alone_us),
            pause=pinger.ask("report"),
            pause_idle=idle,
        )
        spent_s = running.cpu_s()
        crowd.ask("close", count)
        running.until(lambda state: state["in_flight"] == 0, "no slot is held")
        left_us = (running.cpu_s() - spent_s) / count * 1e6
        yield Row(
            "open streams", count, "all leave at once", left_us, pause=pinger.ask("report"), pause_idle=idle
        )


def idle(count: int, seconds: float) -> Iterator[Row]:
    """Idle connections: memory, a request beside them, and how they go."""
    lasting_s = max(20.0, 2 * count / OPENED_PER_S + 2 * seconds + 4)
    with (
        trial(max_connections=count + 1000, max_active=64, keep_alive_s=lasting_s) as running,
        child(CROWD, running.port, "") as crowd,
        child(PINGER, running.port) as pinger,
    ):
        nothing = _pauses(pinger, seconds)
        alone_us = _request_us(running, seconds)
        pinger.ask("report")
        before = running.rss_bytes()
        crowd.ask("open", count, OPENED_PER_S)
        last_s = time.monotonic()
        time.sleep(0.5)
        opened = pinger.ask("report")
        yield Row(
            *("idle connections", count, "opened, 2,000 a second"),
            kb_each=(running.rss_bytes() - before) / count / 1e3,
            pause=opened,
            pause_idle=nothing,
        )
        request_us = _request_us(running, seconds)
        yield Row(
            *("idle connections", count, "a 1 KB request beside them", request_us, alone_us),
            pause=pinger.ask("report"),
            pause_idle=nothing,
        )
        spent_s = running.cpu_s()
        while time.monotonic() - last_s < lasting_s + 1.0:
            time.sleep(0.05)
        left = running.metrics()["gateway_client_connections"]
        gone_us = (running.cpu_s() - spent_s) / max(1.0, count - left) * 1e6
        yield Row(
            *("idle connections", count, f"closed after KEEP_ALIVE_S, {left:.0f} left", gone_us),
            pause=pinger.ask("report"),
            pause_idle=nothing,
        )


def waiting(count: int, seconds: float) -> Iterator[Row]:
    """Requests in the queue, with sockets."""
    limits = {"max_active": 4, "queue_max": count + 10, "queue_timeout_s": 3000, "request_timeout_s": 3600}
    with (
        trial(**limits, max_connections=count + 1000, drain_delay_s=60) as running,
        child(CROWD, running.port, stream(FOREVER, 100)) as holding,
        child(CROWD, running.port, WHOLE) as crowd,
        child(PINGER, running.port) as pinger,
    ):
        nothing = _pauses(pinger, seconds)
        holding.ask("open", 4, 100)
        running.until(lambda state: state["active"] == 4, "all slots are held")
        pinger.ask("report")
        before, spent_s = running.rss_bytes(), running.cpu_s()
        _fill(running, crowd, count)
        yield Row(
            *("waiting requests", count, "come, 2,000 a second", (running.cpu_s() - spent_s) / count * 1e6),
            kb_each=(running.rss_bytes() - before) / count / 1e3,
            pause=pinger.ask("report"),
            pause_idle=nothing,
        )
        for what, limit in (("fifo to lifo", {"queue_order": "lifo"}), ("room for fewer", {"queue_max": 10})):
            running.limits(**limit)
            time.sleep(0.3)
            yield Row(
                *("waiting requests", count, f"PUT /admin/limits: {what}"),
                pause=pinger.ask("report"),
                pause_idle=nothing,
            )
        running.limits(queue_max=count + 10)
        few = min(count // 3, 1000)
        spent_s = running.cpu_s()
        crowd.ask("close", few)
        running.until(lambda state: state["queued"] == count - few, "those who left wait no more")
        left_us = (running.cpu_s() - spent_s) / few * 1e6
        yield Row(
            "waiting requests",
            count,
            f"{few:,} leave",
            left_us,
            pause=pinger.ask("report"),
            pause_idle=nothing,
        )
        yield _all_refused(
            running, pinger, nothing, "PUT /admin/limits: all have waited too long", count - few
        )
        running.limits(queue_timeout_s=3000)
        crowd.ask("close", count)
        _fill(running, crowd, count)
        pinger.ask("report")
        yield _all_refused(running, pinger, nothing, "SIGTERM: all are refused", count)


def _all_refused(running: Trial, pinger: Child, nothing: Spread, what: str, count: int) -> Row:
    spent_s = running.cpu_s()
    if what.startswith("SIGTERM"):
        running.tree.terminate()
    else:
        running.limits(queue_timeout_s=0.001)
    running.until(lambda state: state["in_flight"] <= 4, "all others are answered")
    each_us = (running.cpu_s() - spent_s) / count * 1e6
    return Row("waiting requests", count, what, each_us, pause=pinger.ask("report"), pause_idle=nothing)


def _fill(running: Trial, crowd: Child, count: int) -> None:
    crowd.ask("open", count, OPENED_PER_S)
    running.until(lambda state: state["queued"] == count, "all wait")


def _pauses(pinger: Child, seconds: float) -> Spread:
    time.sleep(1.0)
    pinger.ask("report")
    time.sleep(seconds)
    return pinger.ask("report")


def _chunk_us(running: Trial, crowd: Child, seconds: float) -> float:
    time.sleep(1.0)
    crowd.ask("report")
    spent_s = running.cpu_s()
    time.sleep(seconds)
    spent_s = running.cpu_s() - spent_s
    found = crowd.ask("report")
    print(f"gaps of the streams, ms: {found['gaps']}", file=sys.stderr)
    if found["lost"] or not found["chunks"]:
        raise RuntimeError(f"streams were lost: {found}")
    return spent_s / int(found["chunks"]) * 1e6


def _request_us(running: Trial, seconds: float) -> float:
    """A request of 1 KB among 32 at once."""
    with child("benchmarks.scale.churn", running.port, 32, "whole") as load:
        time.sleep(0.5)
        load.ask("report")
        spent_s = running.cpu_s()
        time.sleep(seconds)
        spent_s = running.cpu_s() - spent_s
        return spent_s / max(1, int(load.ask("report")["ended"])) * 1e6
