"""Short names for settings, loads, metrics and outcomes: the same in every table and figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtests.outcome import Outcome
from reports import folder, numbers

SETTING_KEYS = (
    "max_active",
    "queue_mode",
    "queue_max",
    "queue_timeout_s",
    "queue_order",
    "request_timeout_s",
)

# name in summary.json → (short name, what it is)
METRICS = {
    "ttft_s": ("TTFT", "due time → first chunk with content"),
    "ttft_from_send_s": ("TTFT from send", "sent → first chunk with content"),
    "tpot_s": ("TPOT", "(last − first content chunk) / (output tokens − 1), one number per request"),
    "itl_s": ("ITL", "each gap between content chunks, pooled over requests"),
    "e2e_s": ("E2E", "due time → last byte"),
    "e2e_from_send_s": ("E2E from send", "sent → last byte"),
    "queue_s": ("Queue wait", "time waiting for a slot in the gateway"),
    "upstream_s": ("Upstream", "dispatch → response head of the engine"),
    "send_lag_s": ("Send lag", "due time → sent"),
}

# What predicted.json foretells → (short name, kind of number)
FORETOLD = {
    "goodput_per_s": ("Goodput", "rate"),
    "attainment": ("Attainment", "percent"),
    "ttft_s_p95": ("TTFT p95", "s"),
    "tpot_s_p95": ("TPOT p95", "s"),
    "e2e_s_p95": ("E2E p95", "s"),
}

# Order is the order of display: served, refused on purpose, failed, the client's own.
BY_OUTCOME = {
    Outcome.OK: "served",
    Outcome.REJECTED_FULL: "rejected: queue full",
    Outcome.REJECTED_MODE: "rejected: reject mode",
    Outcome.QUEUE_TIMEOUT: "queue timeout",
    Outcome.DRAINING: "draining",
    Outcome.UPSTREAM_OVERLOADED: "engine overloaded",
    Outcome.UPSTREAM_ERROR: "engine error",
    Outcome.UPSTREAM_TIMEOUT: "engine timeout",
    Outcome.TRUNCATED: "truncated",
    Outcome.REFUSED: "refused (other 4xx)",
    Outcome.CONNECT_ERROR: "connect error",
    Outcome.CLIENT_TIMEOUT: "client timeout",
    Outcome.CANCELLED: "cancelled",
    Outcome.CUT: "cut at the run's end",
    Outcome.NOT_SENT: "not sent",
}
# With the two halves of `ok`, which a report tells apart, and the requests that nobody has a record of.
OUTCOMES: dict[str, str] = {
    "served_in_slo": "served in SLO",
    "served_late": "served late",
    **{outcome.value: label for outcome, label in BY_OUTCOME.items()},
    "missing": "no record",
}


def metric(name: str) -> str:
    """The short name of a latency metric; an unknown one is shown as it is."""
    return METRICS[name][0] if name in METRICS else name


def outcome(name: str) -> str:
    """An outcome in words."""
    return OUTCOMES.get(name, name.replace("_", " "))


def foretold(name: str) -> str:
    """The short name of a measure of predicted.json; an unknown one is shown as it is."""
    return FORETOLD[name][0] if name in FORETOLD else name


def knobs(values: Mapping[str, Any]) -> str:
    """What of a setting is not the gateway's, by name: `max_num_seqs 8`. "" when there is nothing.

    Of a row of `Run.cells`, which holds more than a setting, its column of that name.
    """
    if "knobs" in values:
        return folder.text(values["knobs"])
    given = {name: value for name, value in values.items() if name not in SETTING_KEYS and value is not None}
    return " · ".join(
        f"{folder.text(name)} {folder.text(numbers.bare(v))}" for name, v in sorted(given.items())
    )


def limited(values: Mapping[str, Any]) -> bool:
    """Whether a setting says anything of a gateway; the cells of an engine alone do not."""
    return any(_plain(values.get(name)) not in ("", "nan") for name in SETTING_KEYS)


def queue(setting: Mapping[str, Any]) -> str:
    """The queue half of a setting: `reject`, or `queue 8 · 2 s`, with the order when it is not FIFO."""
    if not limited(setting):
        return "no queue"
    if setting.get("queue_mode") == "reject":
        return "reject"
    timeout = numbers.bare(setting.get("queue_timeout_s"))
    order = folder.text(setting.get("queue_order"), "fifo")
    extra = "" if order == "fifo" else f" · {order}"
    return f"queue {numbers.bare(setting.get('queue_max'))} · {timeout} s{extra}"


def setting(values: Mapping[str, Any]) -> str:
    """A whole setting: `8 slots · queue 8 · 2 s`, then what the engine was given: `max_num_seqs 8`."""
    active = numbers.bare(values.get("max_active"))
    gateway = f"{active} {'slot' if active == '1' else 'slots'} · {queue(values)}"
    return " · ".join(
        part for part in (gateway if limited(values) else "engine alone", knobs(values)) if part
    )


def load(workload: Mapping[str, Any]) -> str:
    """An offered load: `sustained 16/s (1.25 × capacity)`, after the name of its mix of requests."""
    parts = (folder.text(workload.get("workload")), folder.text(workload.get("scenario"), "load"))
    name = " ".join(part for part in parts if part)
    rate = folder.number(workload.get("rate_per_s"))
    relative = folder.number(workload.get("relative_load"))
    text = name if numbers.missing(rate) else f"{name} {rate:.3g}/s"
    return text if numbers.missing(relative) else f"{text} ({relative:.3g} × capacity)"


def key(values: Mapping[str, Any]) -> tuple[str, ...]:
    """What makes two settings the same: numbers compare by value, so 2 and 2.0 are one setting.

    In reject mode the queue's own values have no effect and are left out.
    """
    skip = {"queue_max", "queue_timeout_s", "queue_order"} if values.get("queue_mode") == "reject" else set()
    return (*(_plain(values.get(name)) for name in SETTING_KEYS if name not in skip), knobs(values))


def _plain(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{float(value):g}"
    return "" if value is None else str(value)
