"""Short names for settings, loads, metrics and outcomes: the same in every table and figure."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.run_folder.cell_summary import SeenLimits, Workload
from experiments.spec.named_lanes import NONE
from experiments.spec.setting import LANES, Setting
from gateway.limits import QueueMode, QueueOrder, SlotCost
from loadtests.outcome import Outcome
from loadtests.planning.rate import RECORDED
from reports import numbers

NOTHING: Mapping[str, object] = {}

# name in summary.json → (short name, what it is)
METRICS = {
    "ttft_s": ("TTFT", "due time → first chunk with content"),
    "ttft_from_send_s": ("TTFT from send", "sent → first chunk with content"),
    "ttfv_s": ("TTFV", "due time → first chunk with content that is not reasoning alone"),
    "tpot_s": ("TPOT", "(last − first content chunk) / (output tokens − 1), one number per request"),
    "itl_s": ("ITL", "each gap between content chunks, pooled over requests"),
    "e2e_s": ("E2E", "due time → last byte"),
    "e2e_from_send_s": ("E2E from send", "sent → last byte"),
    "queue_s": ("Queue wait", "time waiting for a slot in the gateway"),
    "upstream_s": ("Upstream", "dispatch → response head of the engine"),
    "send_lag_s": ("Send lag", "due time → sent"),
}

# The parts of a request, in the order it lives them: column of `Run.breakdown` → name
PARTS = {
    "send_lag_s": "send lag",
    "gateway_queue_s": "gateway queue",
    "network_s": "network",
    "engine_queue_s": "engine queue",
    "prefill_s": "prefill",
    "decode_s": "decode",
}

# measure of predicted.json → (short name, kind of number)
PREDICTED = {
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
    Outcome.OVER_BUDGET: "rejected: tenant over its tokens",
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


def predicted_name(name: str) -> str:
    """The short name of a measure of predicted.json; an unknown one is shown as it is."""
    return PREDICTED[name][0] if name in PREDICTED else name


def engine_limits(known: Setting | SeenLimits | None, same: Mapping[str, object] = NOTHING) -> str:
    """What the engine was given: `max_num_seqs 8`; "" where it has its own limits. As in `queue`."""
    given = known.engine.given() if isinstance(known, Setting) else {}
    return " · ".join(
        f"{name} {numbers.bare(value)}" for name, value in sorted(given.items()) if same.get(name) != value
    )


def queue(known: Setting | SeenLimits | None, same: Mapping[str, object] = NOTHING) -> str:
    """The queue half of a setting: `reject`, or `queue 8 · 2 s`, with the order when it is not the usual one
    (FIFO, or fair between lanes); then what bounds those that run, if it is not their number, and its lanes.

    Of a load run of its own only the length was seen: `queue 8`. A value that is its name's in `same` is left
    out, since every other setting has it too: `queue 2 s`, or `queue`.
    """
    if known is None:
        return "no queue"
    if isinstance(known, SeenLimits):
        rejects = known.queue_mode is QueueMode.REJECT
        return "reject" if rejects else f"queue {numbers.bare(known.queue_max)}"
    return " · ".join([_line(known, same), *_sharing(known, same)])


def _line(known: Setting, same: Mapping[str, object]) -> str:
    limits = known.limits
    if limits.queue_mode is QueueMode.REJECT:
        return "reject"
    shared = known.lanes is not None and known.lanes.lanes.shared
    usual = QueueOrder.FAIR if shared else QueueOrder.FIFO
    order = "" if limits.queue_order is usual else str(limits.queue_order)
    values = {
        "queue_max": numbers.bare(limits.queue_max),
        "queue_timeout_s": f"{numbers.bare(limits.queue_timeout_s)} s",
        "queue_order": order,
    }
    said = (text for name, text in values.items() if same.get(name) != getattr(limits, name))
    return f"queue {' · '.join(text for text in said if text)}".rstrip()


def _sharing(known: Setting, same: Mapping[str, object]) -> list[str]:
    """What bounds those that run, and between whom the slots are shared."""
    cost = known.limits.slot_cost
    said = [] if cost is SlotCost.REQUESTS or same.get("slot_cost") == cost else ["slots in tokens"]
    if known.lanes is not None and same.get(LANES) != known.lanes.name:
        said.append("no lanes" if known.lanes == NONE else f"lanes {known.lanes.name}")
    return said


def setting(known: Setting | SeenLimits | None, same: Mapping[str, object] = NOTHING) -> str:
    """A whole setting: `8 slots · queue 8 · 2 s`, then what the engine was given: `max_num_seqs 8`.

    Two settings of a run are the same when their words are: in reject mode the queue's own values have no
    effect and are left out. Without a gateway it is `engine alone`. As in `queue`.
    """
    if known is None:
        return "engine alone"
    limits = known.limits if isinstance(known, Setting) else known
    slots = f"{numbers.bare(limits.max_active)} {'slot' if limits.max_active == 1 else 'slots'}"
    return " · ".join(part for part in (slots, queue(known, same), engine_limits(known, same)) if part)


def load(workload: Workload) -> str:
    """An offered load: `sustained 16/s (1.25 × capacity)`, `recorded 3.5/s (1 × recorded)`, after the name of
    its mix of requests."""
    name = " ".join(part for part in (workload.workload, workload.scenario or "load") if part)
    rate, relative = workload.rate_per_s, workload.relative_load
    text = name if rate is None else f"{name} {rate:.3g}/s"
    of = RECORDED if workload.scenario == RECORDED else "capacity"
    return text if relative is None else f"{text} ({relative:.3g} × {of})"
