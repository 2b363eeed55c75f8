"""A private Prometheus for one run, on loopback, its data in the run's folder."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import httpx

from experiments.errors import EnvironmentProblem
from experiments.stack import paths, process
from experiments.stack.ports import answers, free_port
from experiments.stack.prometheus_binary import provide

SCRAPE_S = 1


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus that answers at `url`."""

    url: str


@contextlib.contextmanager
def running(
    *,
    targets: Mapping[str, str],
    data_dir: Path,
    log_dir: Path,
    rules: Path | None = None,
    port: int | None = None,
    cpus: Collection[int] | None = None,
    on_progress: process.Progress | None = None,
) -> Iterator[Prometheus]:
    """Scrape `targets` once a second for the length of the `with` block.

    Args:
        targets: job name → `host:port` or URL of its metrics page.
        data_dir: the time series are kept here; a later run continues them.
        log_dir: gets `prometheus.log`.
        rules: folder with `*.rules.yml`; None: the project's own; a missing folder: no rules.
        port: to listen on, on 127.0.0.1; None: a free one.
        cpus: the CPU numbers it may use.
        on_progress: told what is being waited for.

    Raises:
        EnvironmentProblem: no Prometheus on this machine and none to be fetched, or it does not start.
    """
    binary = provide(on_progress=on_progress)
    port = port or free_port()
    data_dir.mkdir(parents=True, exist_ok=True)
    config = data_dir / "prometheus.json"
    config.write_text(json.dumps(_config(targets, rules or paths.rules()), indent=2) + "\n", encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    command = process.Command(
        [
            str(binary),
            f"--config.file={config}",
            f"--storage.tsdb.path={data_dir / 'data'}",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ],
        "Prometheus",
        log_dir / "prometheus.log",
        env={**os.environ, "GOMAXPROCS": str(len(cpus)) if cpus else str(os.cpu_count() or 1)},
        cpus=cpus,
    )
    with process.running(command, ready=answers(f"{url}/-/ready"), on_progress=on_progress):
        yield Prometheus(url)


def labels_of(job: str, target: str) -> dict[str, str]:
    """The labels that every series of this target has; another target of the same job has others."""
    host_and_port = _parts(target).netloc.rpartition("@")[2]
    return {"job": job, "instance": host_and_port}


def await_scrapes(prometheus: Prometheus, jobs: Collection[str], *, timeout_s: float = 20.0) -> None:
    """Return when each of `jobs` has been scraped; a fresh Prometheus begins about 5 s after it is ready.

    Raises:
        EnvironmentProblem: one is missing or down after `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    with httpx.Client(base_url=prometheus.url, timeout=5, trust_env=False) as client:
        while missing := set(jobs) - _jobs_up(client):
            if time.monotonic() > deadline:
                raise EnvironmentProblem(
                    f"Prometheus at {prometheus.url} does not scrape {', '.join(sorted(missing))} "
                    f"({timeout_s:.0f} s waited); see its page /targets"
                )
            time.sleep(0.1)


def _jobs_up(client: httpx.Client) -> set[str]:
    try:
        answer = client.get("/api/v1/query", params={"query": "up == 1"}).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return set()
    return {series["metric"].get("job", "") for series in answer["data"]["result"]}


def _config(targets: Mapping[str, str], rules: Path) -> dict[str, object]:
    """The configuration; Prometheus reads YAML, and JSON is YAML."""
    return {
        "global": {
            "scrape_interval": f"{SCRAPE_S}s",
            "scrape_timeout": f"{SCRAPE_S}s",
            "evaluation_interval": "5s",
        },
        "rule_files": sorted(str(path) for path in rules.resolve().glob("*.rules.yml")),
        "scrape_configs": [_scrape(job, target) for job, target in targets.items()],
    }


def _scrape(job: str, target: str) -> dict[str, object]:
    parts = _parts(target)
    path = parts.path if parts.path not in ("", "/") else "/metrics"
    return {
        "job_name": job,
        "scheme": parts.scheme,
        "metrics_path": path,
        "static_configs": [
            {"targets": [parts.netloc], "labels": {"instance": labels_of(job, target)["instance"]}}
        ],
    }


def _parts(target: str) -> SplitResult:
    return urlsplit(target if "://" in target else f"http://{target}")
