"""The gateway as a process of the stack, or one that is already running elsewhere."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from experiments.errors import UserError
from experiments.stack import paths, process
from experiments.stack.ports import answers, free_port
from gateway.settings import Settings
from loadtests.reach import http_client, why
from loadtests.reach.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that takes `admin_token` for `/admin`."""

    endpoint: Endpoint
    admin_token: str | None = field(repr=False)

    @property
    def url(self) -> str:
        """Its address as it may be shown."""
        return self.endpoint.url


def reaching(engine: Endpoint) -> dict[str, str]:
    """The settings, for `running`, of a gateway before an engine with a key or a login."""
    login, key = engine.login, engine.api_key
    found = {"VLLM_BASE_URL": engine.url_with_login()} if login else {}
    return found | ({"UPSTREAM_API_KEY": key} if key else {})


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
        env: gateway settings by their environment names; the ones in our own environment do not count. Those
            of `reaching` go before `engine_url`.
        port: to listen on, on 127.0.0.1; None: a free one.
        on_progress: told what is being waited for.

    Raises:
        StartFailed: it does not start; the message ends with its log's last lines.
    """
    settings = dict(env or {})
    token = settings.setdefault("GATEWAY_ADMIN_TOKEN", secrets.token_urlsafe(16))
    port = port or free_port()
    settings.setdefault("VLLM_BASE_URL", engine_url)
    settings |= {
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
        yield Gateway(Endpoint.parse(url), token)


def external(at: Endpoint, token: str | None) -> Gateway:
    """A gateway that is already running.

    Raises:
        UserError: nothing healthy answers there; the sentence says why.
    """
    try:
        with http_client.client(at, 5.0) as client:
            answer = client.get("/health")
    except httpx.HTTPError as error:
        raise UserError(f"the gateway at {at.url} cannot be used: {why.unreachable(error, at)}") from None
    # Its own key is not asked for here: whoever wants one stands before it.
    refused = why.refused(answer.status_code, answer.headers.get("www-authenticate", ""), at)
    if refused is not None:
        raise UserError(f"the gateway at {at.url} cannot be used: {refused}")
    if answer.status_code != 200 or why.is_page(answer.headers.get("content-type", ""), answer.content):
        raise UserError(
            f"no healthy gateway answers at {at.url} ({at.url}/health answers {answer.status_code}); "
            "is the path right?"
        )
    return Gateway(at, token)


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Our environment without any setting of the gateway: a MAX_ACTIVE left in a shell must
    not decide a sweep.
    """
    names = {name.upper() for name in Settings.model_fields}
    return {name: value for name, value in environment.items() if name.upper() not in names}
