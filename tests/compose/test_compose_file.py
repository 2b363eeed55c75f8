"""The compose file: what is published to whom, what containers may do, what can be set, which images."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.stack.compose_env import PORTS as PORT_OF
from experiments.stack.compose_services import SERVICES as TOLD
from experiments.stack.receivers import RECEIVERS
from gateway.settings import LiveSettings, Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "compose" / "compose.yaml").read_text()
EXAMPLE = (ROOT / "compose" / ".env.example").read_text()
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
PORTS = {
    "api": 8080,
    "vllm": 8000,
    "vllm-cpu": 8000,
    "emulator": 8000,
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 9091,
    "open-webui": 3000,
    "locust-master": 8089,
}
OURS = {"api", "vllm-cpu", "emulator", "locust-master", "locust-worker", "ready"}


def with_defaults(text: str) -> str:
    """The text as compose reads it when nothing is set."""
    return VARIABLE.sub(lambda found: found[2] or "", text)


SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(with_defaults(TEXT))["services"]


def documented() -> dict[str, str]:
    """Variable → its value in .env.example, commented out or not."""
    return dict(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE, re.MULTILINE))


def test_ports_are_where_users_expect_them_and_on_loopback_only() -> None:
    """Nobody else on the network reaches anything until BIND_ADDRESS says so."""
    for name, service in SERVICES.items():
        published = [port.split(":") for port in service.get("ports", [])]
        assert published == [] or [(ip, int(host)) for ip, host, _ in published] == [
            ("127.0.0.1", PORTS[name])
        ]
        assert "network_mode" not in service
        assert not service.get("privileged")
    assert {name for name, service in SERVICES.items() if "ports" in service} == set(PORTS)


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_containers_can_do_little(name: str) -> None:
    """Not root, no capability, no way to gain one, only /tmp to write to, a bounded number of processes."""
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    spool = ["/opt/headroom/runs"] if name == "locust-worker" else []
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp", *spool]
    assert service["pids_limit"] <= 1024
    # Where something is kept: the records of a load run, and a recording of the gateway, which
    # also reads its tenants' names.
    mounted = {
        "locust-master": ["load-runs:/opt/headroom/runs"],
        "api": ["./lanes:/etc/headroom/lanes:ro", "recordings:/var/lib/headroom"],
    }
    assert service.get("volumes", []) == mounted.get(name, [])


def test_no_container_gains_privileges() -> None:
    """Foreign images too: no added capability, no way to one; what is mounted from here is read-only."""
    for name, service in SERVICES.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "cap_add" not in service, name
        mounts = [mount for mount in service.get("volumes", []) if mount[0] in "./"]
        assert all(mount.endswith(":ro") for mount in mounts), name


def test_images_are_pinned() -> None:
    """The same file starts the same versions next year; our own images are built here."""
    for name, service in SERVICES.items():
        if name in OURS:
            assert service["image"].startswith("localhost/headroom-")
        else:
            tag = service["image"].rsplit(":", 1)[1]
            assert re.search(r"\d+\.\d+\.\d+", tag), service["image"]


def test_every_service_restarts_logs_within_bounds_and_tells_its_health() -> None:
    """What runs for months does not fill the disk, and comes back after a crash."""
    for name, service in SERVICES.items():
        if name == "ready":
            continue
        assert service["restart"] in {"unless-stopped", "on-failure:3"}, name
        assert service["logging"]["options"]["max-size"] == "10m", name
    # The exporters, Locust and Open WebUI: scraped, or with a health check of their image.
    for name in ("api", "vllm", "vllm-cpu", "emulator", "prometheus", "alertmanager", "grafana"):
        assert service_has_health_check(SERVICES[name]), name


def service_has_health_check(service: dict[str, Any]) -> bool:
    """Whether a command and a number of retries are given."""
    return bool(service["healthcheck"]["test"]) and service["healthcheck"]["retries"] > 0


def test_the_profiles() -> None:
    """One engine a profile, each under the name "vllm"; what has no profile is the stack around it."""
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    everywhere = {"api", "prometheus", "alertmanager", "grafana", "ready"}
    assert {name for name, of in profiles.items() if not of} == everywhere
    assert [name for name, of in profiles.items() if "gpu" in of] == [
        "vllm",
        "open-webui",
        "dcgm-exporter",
        "node-exporter",
    ]
    assert [name for name, of in profiles.items() if "cpu" in of] == [
        "vllm-cpu",
        "open-webui",
        "node-exporter",
    ]
    assert [name for name, of in profiles.items() if "emulator" in of] == ["emulator"]
    assert [name for name, of in profiles.items() if "load" in of] == ["locust-master", "locust-worker"]
    for name in ("vllm-cpu", "emulator"):
        assert SERVICES[name]["networks"]["default"]["aliases"] == ["vllm"]


def test_every_variable_is_documented_with_its_default() -> None:
    """What can be set is found in one file, and what that file says is the default is the default."""
    explained = documented()
    for name, default in set(VARIABLE.findall(TEXT)):
        assert name in explained, name
        if f"# {name}=" in EXAMPLE:
            assert explained[name] == default, name
    used = {name for name, _ in VARIABLE.findall(TEXT)}
    settings = {name.upper() for name in Settings.model_fields}
    assert set(explained) <= used | settings | {"COMPOSE_PROFILES"}


def test_the_gateways_settings_have_their_native_names_and_defaults() -> None:
    """MAX_ACTIVE means here what it means to `python -m gateway`, and starts from the same value."""
    explained = documented()
    for name, field in LiveSettings.model_fields.items():
        default = getattr(field.default, "value", field.default)
        assert explained[name.upper()] == (f"{default:g}" if isinstance(default, float) else str(default))
    assert [entry["path"] for entry in SERVICES["api"]["env_file"]] == [".env", "recommended.env"]
    # Set by the container itself, so that .env cannot break its address; and secrets of others are blanked.
    assert SERVICES["api"]["environment"]["GATEWAY_HOST"] == "0.0.0.0"
    assert SERVICES["api"]["environment"]["GRAFANA_PASSWORD"] == ""


def test_there_is_no_default_secret() -> None:
    """Neither in the example nor in the compose file."""
    for name in ("GRAFANA_PASSWORD", "GATEWAY_ADMIN_TOKEN"):
        assert re.search(rf"^{name}=$", EXAMPLE, re.MULTILINE)
    assert SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"] in ("", None)


def test_prometheus_scrapes_the_services_of_this_file() -> None:
    """Every target of the scrape configuration is a service, or the name that all engines share."""
    config = yaml.safe_load((ROOT / "monitoring/prometheus/prometheus.yml").read_text())
    targets = set()
    for job in config["scrape_configs"]:
        for entry in job.get("static_configs", []):
            targets |= {target.split(":")[0] for target in entry["targets"]}
        for entry in job.get("dns_sd_configs", []):
            targets |= set(entry["names"])
    assert targets - {"localhost"} <= set(SERVICES)


def test_the_status_knows_every_published_service_by_profile_and_port() -> None:
    """`make up` and `headroom status` read a list of their own; here it is held against this file."""
    told = {(name, profile) for service in TOLD for profile, name in service.name.items()}
    published = {name: service for name, service in SERVICES.items() if "ports" in service}
    assert told == {(name, of) for name, service in published.items() for of in service.get("profiles", [""])}
    for service in TOLD:
        for name in service.name.values():
            assert PORT_OF[service.port] == PORTS[name]
            assert f"${{{service.port}:-{PORTS[name]}}}" in TEXT


def test_make_up_ends_with_the_status() -> None:
    """For the profile that was asked for, before anything is installed; whatever it says, all was started."""
    said = subprocess.run(
        ["make", "--no-print-directory", "-n", "up", "PROFILE=emulator,load", "COMPOSE=true"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert said[-1] == "COMPOSE_PROFILES=emulator,load python3 -m headroom.status || true"


def test_alerts_go_to_the_alertmanager_of_this_file() -> None:
    """Prometheus sends to its name and port, and it is told who the receivers are, from .env alone."""
    config = yaml.safe_load((ROOT / "monitoring/prometheus/prometheus.yml").read_text())
    (sent_to,) = config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    service = SERVICES["alertmanager"]
    assert sent_to == f"alertmanager:{service['ports'][0].split(':')[2]}"
    assert set(service["environment"]) == set(RECEIVERS)
    assert not any(service["environment"].values())
    script = (ROOT / "monitoring/alertmanager/entrypoint.sh").read_text()
    assert set(re.findall(r"ALERT_[A-Z]+_[A-Z]+", script)) == set(RECEIVERS)


def test_images_get_only_what_they_copy() -> None:
    """The build context is a list of what may enter it, so that no .env, no runs and no .git can."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    for path in (ROOT / "compose").glob("*.Dockerfile"):
        copied = re.findall(r"^COPY ([^-]\S*) ", path.read_text(), re.MULTILINE)
        assert copied
        assert {name.split("/")[0] for name in copied} <= allowed, path.name
