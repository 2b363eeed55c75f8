"""A private Prometheus for one run, on loopback, its data in the run's folder."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from experiments.errors import EnvironmentProblem
from experiments.stack import fetched, paths, process
from experiments.stack.ports import answers, free_port
from loadtests.reach.endpoint import Endpoint

SCRAPE_S = 1


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus that answers at `url`."""

    url: str


@contextlib.contextmanager
def running(
    *,
    targets: Mapping[str, str | Endpoint],
    data_dir: Path,
    log_dir: Path,
    rules: Path | None = None,
    alertmanager: str | None = None,
    port: int | None = None,
    cpus: Collection[int] | None = None,
    on_progress: process.Progress | None = None,
) -> Iterator[Prometheus]:
    """Scrape `targets` once a second for the length of the `with` block.

    Args:
        targets: job name → `host:port` or URL of its metrics page, or a server whose `/metrics` it is. Its
            credentials are in the configuration, which then is in memory only.
        data_dir: the time series are kept here; a later run continues them.
        log_dir: gets `prometheus.log`.
        rules: folder with `*.rules.yml`; None: the project's own; a missing folder: no rules.
        alertmanager: `host:port` that alerts are sent to; None: nobody is told.
        port: to listen on, on 127.0.0.1; None: a free one.
        cpus: the CPU numbers it may use.
        on_progress: told what is being waited for.

    Raises:
        EnvironmentProblem: no Prometheus on this machine and none to be fetched, or it does not start.
    """
    binary = fetched.provide(fetched.PROMETHEUS, on_progress=on_progress)
    port = port or free_port()
    data_dir.mkdir(parents=True, exist_ok=True)
    pages = {job: _page(target) for job, target in targets.items()}
    url = f"http://127.0.0.1:{port}"
    configured = _config(pages, rules or paths.rules(), alertmanager)
    with _written(configured, pages, data_dir / "prometheus.json") as config:
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


def labels_of(job: str, target: str | Endpoint) -> dict[str, str]:
    """The labels that every series of this target has; another target of the same job has others."""
    return {"job": job, "instance": _page(target).authority}


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


@contextlib.contextmanager
def _written(configured: Mapping[str, object], pages: Mapping[str, Endpoint], path: Path) -> Iterator[Path]:
    """Where Prometheus finds its configuration: `path`, or memory of this process where a key or a login is
    in it, which goes with the process and which nobody else can read."""
    text = json.dumps(configured, indent=2) + "\n"
    if not any(page.login or page.api_key or (page.proxy and page.proxy.login) for page in pages.values()):
        path.write_text(text, encoding="utf-8")
        yield path
        return
    with os.fdopen(os.memfd_create("prometheus.json"), "w", encoding="utf-8") as memory:
        memory.write(text)
        memory.flush()
        yield Path(f"/proc/{os.getpid()}/fd/{memory.fileno()}")


def _config(pages: Mapping[str, Endpoint], rules: Path, alertmanager: str | None) -> dict[str, object]:
    """The configuration; Prometheus reads YAML, and JSON is YAML."""
    return {
        "global": {
            "scrape_interval": f"{SCRAPE_S}s",
            "scrape_timeout": f"{SCRAPE_S}s",
            "evaluation_interval": "5s",
        },
        "rule_files": sorted(str(path) for path in rules.resolve().glob("*.rules.yml")),
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
        if alertmanager
        else {},
        "scrape_configs": [_scrape(job, page) for job, page in pages.items()],
    }


def _page(target: str | Endpoint) -> Endpoint:
    """The metrics page of a target."""
    page = target.below("/metrics") if isinstance(target, Endpoint) else Endpoint.parse(target)
    return page if page.path else page.below("/metrics")


def _scrape(job: str, page: Endpoint) -> dict[str, object]:
    """How one page is read. Prometheus itself trusts whom SSL_CERT_FILE and SSL_CERT_DIR name, or the
    system."""
    scrape: dict[str, object] = {
        "job_name": job,
        "scheme": page.scheme,
        "metrics_path": page.path,
        "static_configs": [{"targets": [page.authority], "labels": {"instance": page.authority}}],
    }
    # It sends one of the two; a key beside a login is for the API, and metrics pages are open behind a login.
    if page.login:
        user, _, password = page.login.partition(":")
        scrape["basic_auth"] = {"username": user, "password": password}
    elif page.api_key:
        scrape["authorization"] = {"type": "Bearer", "credentials": page.api_key}
    if page.proxy is not None:
        scrape["proxy_url"] = page.proxy.url_with_login()
    return scrape
