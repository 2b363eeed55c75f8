"""The gateway as a process of the stack, or one that is already running elsewhere."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.errors import EnvironmentProblem
from experiments.stack import paths, process
from experiments.stack.ports import answers, free_port
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that answers at `url` and takes `admin_token` for `/admin`."""

    url: str
    admin_token: str | None


@contextlib.contextmanager
def running(
    *,
    engine_url: str,
    model: str,
    log_dir: Path,
    cpus: Collection[int] | None = None,
    env: Mapping[str, str] | None = None,
    port: int | None = None,
    on_progress: process.Progress | None = None,
) -> Iterator[Gateway]:
    """Run a gateway in front of `engine_url` for the length of the `with` block.

    Args:
        engine_url: without /v1.
        model: filled in where a request names no model.
        log_dir: gets `gateway.log`.
        cpus: the CPU numbers it may use.
        env: gateway settings by their environment names; the ones in our own environment do not count.
        port: to listen on, on 127.0.0.1; None: a free one.
        on_progress: told what is being waited for.

    Raises:
        StartFailed: it does not start; the message ends with its log's last lines.
    """
    settings = dict(env or {})
    token = settings.setdefault("GATEWAY_ADMIN_TOKEN", secrets.token_urlsafe(16))
    port = port or free_port()
    settings |= {
        "VLLM_BASE_URL": engine_url,
        "MODEL_NAME": model,
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
    }
    url = f"http://127.0.0.1:{port}"
    command = process.Command(
        [sys.executable, "-m", "gateway"],
        "the gateway",
        log_dir / "gateway.log",
        env=_without_settings(os.environ) | paths.import_path() | settings,
        cwd=log_dir,
        cpus=cpus,
    )
    with process.running(command, ready=answers(f"{url}/health"), on_progress=on_progress):
        yield Gateway(url, token)


def external(url: str, token: str | None) -> Gateway:
    """A gateway that is already running.

    Raises:
        EnvironmentProblem: nothing healthy answers at `url`.
    """
    url = url.rstrip("/").removesuffix("/v1")
    if not answers(f"{url}/health", timeout_s=5)():
        raise EnvironmentProblem(f"no healthy gateway answers at {url} (asked for {url}/health)")
    return Gateway(url, token)


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Our environment without any setting of the gateway: a MAX_ACTIVE left in a shell must
    not decide a sweep.
    """
    names = {name.upper() for name in Settings.model_fields}
    return {name: value for name, value in environment.items() if name.upper() not in names}
