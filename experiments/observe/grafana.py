"""A sweep in Grafana's own terms: one region annotation for each cell, and one for the whole run.

The dashboards show them by their tag `headroom`. API:
https://grafana.com/docs/grafana/latest/developers/http_api/annotations/
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import httpx

from loadtests.reach import http_client
from loadtests.reach.endpoint import Endpoint

TAG = "headroom"
_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Grafana:
    """Where annotations go: a service account's `token`, or the administrator's `password`. `url` is without
    the `login` that it came with."""

    url: str
    token: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    login: str = field(default="", repr=False)


class Annotations:
    """Posts regions for one run; without a Grafana it does nothing. A failure is reported once and never
    raised: pictures are not worth a measurement.
    """

    def __init__(self, grafana: Grafana | None, run: str, tell: Callable[[str], None]) -> None:
        self._run = run
        self._tell = tell
        self._reported = False
        self._client = None if grafana is None else _client(grafana)

    def cell(self, began_unix_s: float, ended_unix_s: float, text: str) -> None:
        """The region of one measured cell, from its first arrival to its last, warm-up included."""
        self._post(began_unix_s, ended_unix_s, text, "cell")

    def run(self, began_unix_s: float, ended_unix_s: float) -> None:
        """The region of the whole run, the probe included."""
        self._post(began_unix_s, ended_unix_s, f"sweep {self._run}", "run")

    def close(self) -> None:
        """Give up the connections."""
        if self._client is not None:
            self._client.close()

    def _post(self, began_unix_s: float, ended_unix_s: float, text: str, kind: str) -> None:
        if self._client is None:
            return
        body = {
            "time": round(began_unix_s * 1e3),
            "timeEnd": round(ended_unix_s * 1e3),
            "tags": [TAG, self._run, kind],
            "text": text,
        }
        try:
            self._client.post("/api/annotations", json=body).raise_for_status()
        except httpx.HTTPError as error:
            if not self._reported:
                self._reported = True
                self._tell(f"no annotation in Grafana, and the sweep goes on: {error}")


@contextlib.contextmanager
def of_run(grafana: Grafana | None, run: str, tell: Callable[[str], None]) -> Iterator[Annotations]:
    """Annotations for `run`; on leaving, also after an interruption, the region of the
    whole run is posted."""
    annotations = Annotations(grafana, run, tell)
    began_unix_s = time.time()
    try:
        yield annotations
    finally:
        annotations.run(began_unix_s, time.time())
        annotations.close()


def _client(grafana: Grafana) -> httpx.Client:
    endpoint = Endpoint.parse(grafana.url, grafana.token or "")
    if grafana.login:
        endpoint = replace(endpoint, login=grafana.login)
    elif grafana.password and not grafana.token:
        endpoint = replace(endpoint, login=f"admin:{grafana.password}")
    return http_client.client(endpoint, _TIMEOUT_S)
