"""The services of the compose stack: where each is, and how it is, asked over HTTP.

Only Python's own library is imported: `make up` ends with this before anything is installed.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.stack.compose_env import address
from experiments.stack.receivers import told_of

_TIMEOUT_S = 3.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class PageAnswer:
    """What a page said; status 0: nobody answered, and `text` is why."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The content; None where it is no JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


Says = Callable[[str, PageAnswer, Mapping[str, str]], str]
"""From address, answer of the health page, and settings, to what there is to say of a service that is up."""


@dataclass(frozen=True)
class Service:
    """One service that is published.

    Attributes:
        title: what people call it.
        name: in compose.yaml, by profile where several stand for each other; "" is every profile.
        port: the variable of its port.
        health: the path that tells its health.
        says: see `Says`.
    """

    title: str
    name: Mapping[str, str]
    port: str
    health: str
    says: Says


@dataclass(frozen=True)
class ServiceRow:
    """A service as it is now."""

    title: str
    url: str
    up: bool
    health: str


def rows(settings: Mapping[str, str], env_file: Path) -> list[ServiceRow]:
    """The services of the profiles that the settings name, all asked at once.

    Raises:
        UserError: a port is no number.
    """
    profiles = {"", *(settings.get("COMPOSE_PROFILES") or "gpu").replace(" ", "").split(",")}
    there = [
        (service, address(settings, service.port, env_file), name)
        for service in SERVICES
        if (name := next((service.name[of] for of in service.name if of in profiles), None))
    ]
    with ThreadPoolExecutor(len(there)) as pool:
        return list(pool.map(lambda one: _row(one[0], one[1], one[2], settings), there))


def _row(service: Service, url: str, name: str, settings: Mapping[str, str]) -> ServiceRow:
    answer = ask(url + service.health)
    look = f"cd compose && docker compose logs {name}"
    if answer.status == 0:
        return ServiceRow(service.title, url, False, f"no answer ({answer.text}): {look}")
    says = service.says(url, answer, settings)
    if not answer.ok:
        return ServiceRow(service.title, url, False, says or f"answers {answer.status}: {look}")
    return ServiceRow(service.title, url, True, f"up{'; ' + says if says else ''}")


def ask(url: str) -> PageAnswer:
    """GET, past every proxy."""
    try:
        with _OPENER.open(url, timeout=_TIMEOUT_S) as reply:
            return PageAnswer(reply.status, reply.read(2**20).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        with error:
            return PageAnswer(error.code, error.read(2**16).decode("utf-8", "replace"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return PageAnswer(0, getattr(reason, "strerror", None) or str(reason) or type(reason).__name__)


def _nothing(url: str, answer: PageAnswer, settings: Mapping[str, str]) -> str:
    return ""


def _gateway(url: str, answer: PageAnswer, settings: Mapping[str, str]) -> str:
    """Its own words where the engine cannot be used."""
    content = answer.json()
    error = content.get("error") if isinstance(content, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else ""


def _engine(url: str, answer: PageAnswer, settings: Mapping[str, str]) -> str:
    content = ask(f"{url}/v1/models").json()
    models = content.get("data") if isinstance(content, dict) else None
    names = [str(model.get("id")) for model in models or () if isinstance(model, dict)]
    return f"serves {', '.join(names)}" if names else ""


def _prometheus(url: str, answer: PageAnswer, settings: Mapping[str, str]) -> str:
    """Targets that are down, alerts that fire."""
    targets = _data(f"{url}/api/v1/targets?state=active", "activeTargets")
    alerts = _data(f"{url}/api/v1/alerts", "alerts")
    down = [str(one["labels"]["job"]) for one in targets if one.get("health") == "down"]
    firing = sorted({str(one["labels"]["alertname"]) for one in alerts if one.get("state") == "firing"})
    said = f"{len(targets) - len(down)} of {len(targets)} targets answer"
    missing = f", not {', '.join(sorted(down))}" if down else ""
    return f"{said}{missing}; {'alerts: ' + ', '.join(firing) if firing else 'no alert fires'}"


def _data(url: str, key: str) -> list[dict[str, Any]]:
    content = ask(url).json()
    data = content.get("data") if isinstance(content, dict) else None
    return list(data.get(key) or ()) if isinstance(data, dict) else []


def _alertmanager(url: str, answer: PageAnswer, settings: Mapping[str, str]) -> str:
    kinds = told_of(settings)
    return f"tells of {' and '.join(kinds)}" if kinds else "tells nobody: no ALERT_… is set"


def _grafana(url: str, answer: PageAnswer, settings: Mapping[str, str]) -> str:
    return "user admin"


SERVICES = (
    Service("gateway", {"": "api"}, "GATEWAY_PORT", "/ready", _gateway),
    Service(
        "engine", {"gpu": "vllm", "cpu": "vllm-cpu", "emulator": "emulator"}, "VLLM_PORT", "/health", _engine
    ),
    Service("Prometheus", {"": "prometheus"}, "PROMETHEUS_PORT", "/-/ready", _prometheus),
    Service("Alertmanager", {"": "alertmanager"}, "ALERTMANAGER_PORT", "/-/ready", _alertmanager),
    Service("Grafana", {"": "grafana"}, "GRAFANA_PORT", "/api/health", _grafana),
    Service(
        "Open WebUI",
        {"gpu": "open-webui", "cpu": "open-webui", "ui": "open-webui"},
        "OPEN_WEBUI_PORT",
        "/health",
        _nothing,
    ),
    Service("Locust", {"load": "locust-master"}, "LOCUST_PORT", "/llm", _nothing),
)
