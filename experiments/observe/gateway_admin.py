"""The gateway's admin API and its own counters, as a sweep uses them."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from experiments.errors import EnvironmentProblem
from experiments.observe import metrics_page
from experiments.observe.metrics_page import NotMetricsError
from gateway.limits import LIMIT_NAMES, Limits, SlotCost
from loadtests.reach import http_client, why
from loadtests.reach.endpoint import Endpoint
from loadtests.reach.why import Refused

_BUDGET_KNOWN_WITHIN_S = 15.0
"""The gateway asks the engine for the size of its KV cache with its next health probe, 2 s later."""


@dataclass(frozen=True, slots=True)
class Counters:
    """One reading of the gateway's `/metrics`: (sample name, sorted labels) → value."""

    samples: dict[tuple[str, tuple[tuple[str, str], ...]], float]

    @classmethod
    def parse(cls, page: str) -> "Counters":
        """From a page in Prometheus's text format."""
        return cls(
            {
                (sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for sample in metrics_page.samples(page)
            }
        )

    def value(self, name: str) -> float:
        """Sum over the series of `name`; 0 where there is none."""
        return sum(value for (sample, _), value in self.samples.items() if sample == name)

    def whole(self, name: str) -> int | None:
        """The value of a gauge without labels; None where there is none."""
        value = self.samples.get((name, ()))
        return int(value) if value is not None and math.isfinite(value) else None

    def by_label(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """Sum of `name` for each value of `label`, over the series that carry `labels`."""
        sums: dict[str, float] = {}
        wanted = set(labels.items())
        for (sample, pairs), value in self.samples.items():
            if sample == name and wanted <= set(pairs):
                key = dict(pairs).get(label, "")
                sums[key] = sums.get(key, 0.0) + value
        return sums


@dataclass(frozen=True, slots=True)
class GatewayGrowth:
    """What a gateway counted between two readings: requests by outcome, and
    request-seconds active and queued.
    """

    outcomes: dict[str, float]
    active_s: float
    queued_s: float


@dataclass(frozen=True, slots=True)
class GatewayMoment:
    """Which gateway answered, and the limits and lanes that it had; None for what a version does not tell.

    Attributes:
        instance: id that its process drew.
        max_active, limits_version, lanes_version: as its metrics have them.
    """

    instance: str | None
    max_active: int | None
    limits_version: int | None
    lanes_version: int | None = None

    @classmethod
    def of(cls, page: Counters) -> "GatewayMoment":
        """From its `/metrics`."""
        return cls(
            next(iter(page.by_label("gateway_instance_info", "id")), None),
            page.whole("gateway_active_limit"),
            page.whole("gateway_limits_version"),
            page.whole("gateway_lanes_version"),
        )


def gateway_growth(before: Counters, after: Counters) -> GatewayGrowth:
    """The growth of the chat route's counters; outcomes that did not occur are left out."""
    name = "gateway_requests_total"
    first = before.by_label(name, "outcome", route="chat")
    last = after.by_label(name, "outcome", route="chat")
    grown = {outcome: count - first.get(outcome, 0.0) for outcome, count in last.items()}
    return GatewayGrowth(
        outcomes={outcome: count for outcome, count in grown.items() if count},
        active_s=after.value("gateway_active_seconds_total") - before.value("gateway_active_seconds_total"),
        queued_s=after.value("gateway_queue_seconds_total") - before.value("gateway_queue_seconds_total"),
    )


class GatewayAdmin:
    """A running gateway, through its admin API.

    Raises:
        EnvironmentProblem: the gateway cannot be reached, refuses the token or answers something else.
    """

    def __init__(self, gateway: Endpoint, token: str | None) -> None:
        """`token` takes the place of the endpoint's own key, which is a client's."""
        self._endpoint = replace(gateway, api_key=token or "")
        self.url = gateway.url
        self._client = http_client.client(self._endpoint, 10.0)

    def limits(self) -> Limits:
        """The limits in force, with their version."""
        answer = self.ask("GET", "/admin/limits")
        try:
            first = Limits.of({name: answer[name] for name in LIMIT_NAMES})
            return replace(first, version=int(answer["version"]))
        except (KeyError, ValueError) as error:
            raise EnvironmentProblem(
                f"the gateway at {self.url} reports limits that this version cannot read ({error})"
            ) from None

    def apply(self, limits: Limits) -> Limits:
        """Set `limits` live and return what is in force, read back by a second request. Slots in tokens are
        in force once the gateway knows the size of the engine's KV cache, which is waited for."""
        asked = limits.values()
        self.ask("PUT", "/admin/limits", asked)
        if limits.slot_cost is SlotCost.TOKENS:
            self._wait_for_budget()
        in_force = self.limits()
        wrong = {name: value for name, value in in_force.values().items() if value != asked[name]}
        if wrong:
            raise EnvironmentProblem(f"the gateway at {self.url} reports {wrong} after being set to {asked}")
        return in_force

    def state(self) -> dict[str, Any]:
        """Requests active and queued now."""
        return self.ask("GET", "/admin/state")

    def _wait_for_budget(self) -> None:
        give_up_s = time.monotonic() + _BUDGET_KNOWN_WITHIN_S
        while (pool := self.state().get("kv_tokens") or {}).get("budget") is None:
            if time.monotonic() > give_up_s:
                raise EnvironmentProblem(
                    f"the gateway at {self.url} cannot count slots in tokens: {pool.get('why')}"
                )
            time.sleep(0.05)

    def metrics_text(self) -> str:
        """The page `/metrics` now, for `Counters.parse`."""
        response = self._send("GET", "/metrics", None)
        try:
            return metrics_page.text_of(response.status_code, [response.content])
        except NotMetricsError as error:
            raise EnvironmentProblem(
                f"{self.url}/metrics {error}: is that the address of a Headroom gateway?"
            ) from None

    def close(self) -> None:
        """Give up the connections."""
        self._client.close()

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The JSON object that one of its routes answers."""
        response = self._send(method, path, body)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise EnvironmentProblem(
                f"{self.url}{path} answered {response.text[:200]!r}, which is not a Headroom gateway's answer"
            )
        return answer

    def _send(self, method: str, path: str, body: Mapping[str, object] | None) -> httpx.Response:
        try:
            response = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            reason = why.unreachable(error, self._endpoint)
            raise EnvironmentProblem(f"the gateway at {self.url} does not answer {path}: {reason}") from None
        asks_for = response.headers.get("www-authenticate", "")
        refused = why.refused(response.status_code, asks_for, self._endpoint)
        if refused in (Refused.LOGIN, Refused.NO_LOGIN, Refused.PROXY):
            raise EnvironmentProblem(f"the gateway at {self.url} cannot be used: {refused}")
        if refused is not None:
            raise EnvironmentProblem(
                f"the gateway at {self.url} refused {path} ({response.status_code}); give its "
                "GATEWAY_ADMIN_TOKEN with --admin-token"
            )
        if response.status_code != 200:
            raise EnvironmentProblem(
                f"the gateway at {self.url} answered {path} with {response.status_code}: "
                f"{response.text[:200]}"
            )
        return response
