"""What each word and number of the report means.

Printed in the report, so that it can be read alone in a year.
"""

from __future__ import annotations

DEFINITIONS: tuple[tuple[str, str], ...] = (
    (
        "Cell",
        "One gateway setting under one offered load: a warm-up, a measured window, a drain.",
    ),
    (
        "Offered",
        "Requests that the arrival plan made due in the measured window, whether or not they could be "
        "sent. The denominator of every share here: a rejected or unfinished request counts as not served"
        " in SLO.",
    ),
    (
        "Due time",
        "When the plan wanted a request. Latencies count from it, so a late load generator cannot flatter"
        " the result; how late it was is the send lag.",
    ),
    (
        "Achieved rate",
        "Requests served to the end per second of the window.",
    ),
    (
        "SLO",
        "Limits on TTFT, TPOT and E2E, judged per request, and the share of offered requests that must "
        "meet all of them.",
    ),
    (
        "Goodput",
        "Requests served with every limit of the SLO met, per second of the window.",
    ),
    (
        "Attainment",
        "Served in SLO / offered.",
    ),
    (
        "Served late",
        "Served to the end, but some limit of the SLO missed.",
    ),
    (
        "TTFT",
        "Time to first token: due time → first chunk with content. “From send” starts when the request "
        "left, which is where the gateway's own clock starts.",
    ),
    (
        "TPOT",
        "Time per output token: (last − first content chunk) / (output tokens − 1). One number per "
        "request; none below two tokens.",
    ),
    (
        "ITL",
        "Inter-token latency: every single gap between content chunks, pooled over requests.",
    ),
    (
        "E2E",
        "Due time → last byte, of served requests.",
    ),
    (
        "Lengths",
        "Mean tokens of prompts and answers of the served requests: as the engine's own usage reports them,"
        " and as asked for; “at most” where answers were not forced to a length. Where more than 5 % of the"
        " requests differ by more than a tenth, the cell is another workload, and invalid. “Not reported”:"
        " the engine tells no usage, so nothing per token is known.",
    ),
    (
        "Queue wait",
        "Time in the gateway waiting for one of its MAX_ACTIVE slots, as the gateway itself says in "
        "Server-Timing.",
    ),
    (
        "Upstream",
        "From dispatch by the gateway to the head of the engine's response.",
    ),
    (
        "p50, p95, p99",
        "Order statistics of one cell's requests. Never averaged over cells or repeats. “n too small” "
        "stands where there are fewer requests than a 95 % interval needs: 6 for p50, 59 for p95, 299 for"
        " p99. Neighbours in a queue are alike, so n requests can be worth fewer: where those (n_eff) are "
        "too few, the value has no interval.",
    ),
    (
        "Intervals",
        "95 %. For quantiles, as the run's summary gives them. For attainment and goodput of a single "
        "cell, Wilson's score interval on the share served in SLO: it takes"
        " requests as independent and knows nothing of run-to-run noise, so the truth is wider. Intervals"
        " that overlap or not prove no difference: for that, use the paired comparison, python -m "
        "experiments.compare.",
    ),
    (
        "Rejected",
        "Refused at once with 429: the queue was full, or the mode is reject.",
    ),
    (
        "Queue timeout",
        "Waited for a slot until QUEUE_TIMEOUT_S and refused with 503.",
    ),
    (
        "Saturated",
        "The offered load is more than the setting can serve: backlog grows, or (bounded queue) requests "
        "are rejected or time out. “Can't tell” is an answer too.",
    ),
    (
        "Load ratio",
        "Offered work over what the gateway's slots can do, 1 at capacity, with its 95 % interval: busy slots"
        " / (slots × share served); without a queue, the offered rate over the rate with every slot busy.",
    ),
    (
        "Shed",
        "Rejected at once, timed out in the queue, or refused by a draining gateway or an overloaded engine.",
    ),
    (
        "Erlang's loss",
        "The share of Poisson arrivals that full slots without a queue must turn away at this load (Erlang"
        " B). A setting without a queue that sheds no more than that is not overloaded by it.",
    ),
    (
        "Preemption",
        "A running request that the engine put back to wait because its KV cache was full; its work is done "
        "again. Counted over every phase of the cell, as are prefix-cache hits: prompt tokens that the "
        "engine did not have to read.",
    ),
    (
        "Where the time went",
        "The E2E of the served requests next to a quantile, cut into parts that add up to it: send lag, "
        "gateway queue, network (sockets, parsing and the gateway itself), engine queue, prefill (up to the "
        "first token), decode. The engine tells only its mean times of a cell, which split its queue from"
        " prefill; where it tells none, they are one part.",
    ),
    (
        "Inseparable",
        "Settings whose goodput this run cannot tell from the recommended one's.",
    ),
    (
        "Capacity under the SLO",
        "The largest offered rate at which the share of offered requests that meet the SLO is at least its "
        "target: the knee marked here. A knee by curvature moves with the range of the axis and is not used.",
    ),
    (
        "Sentinel",
        "One setting on one arrival trace, measured again in every block and ranked nowhere: what differs "
        "between its cells is the machine.",
    ),
    (
        "Predicted",
        "What the calibrated model predicted before a cell ran, with an interval that should hold the "
        "measured value nine times in ten. Error: predicted / measured − 1. The model's part of it: the same"
        " for the model on the very trace that was measured. Noise: the rest, the luck of the trace and of "
        "the machine. Scored: measured well enough to judge a prediction by.",
    ),
    (
        "Probe capacity",
        "Rate at which a short closed-loop probe before the sweep completed requests; only used to place "
        "the loads.",
    ),
    (
        "Two sources",
        "p50 and p95 once from the client's records and once from the gateway's histograms in Prometheus "
        "over the same window, from the same starting point. A histogram knows a value only up to its "
        "bucket; a difference beyond that is flagged. Decisions use the records.",
    ),
)
