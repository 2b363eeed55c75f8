"""Where request logs of OpenAI-style servers and proxies keep arrival, tokens and failure.

Logs have no schema: some keep a line of their own, some the answer as it was sent, some request and answer
side by side. The names here are those of the answer objects (chat completions, responses), of batch outputs,
of what proxies write beside them, of captures of Amazon SageMaker and of the records of AIPerf; objects in
objects are joined by points.
"""

from __future__ import annotations

from collections.abc import Mapping

_ANSWERS = ("", "response.", "response.body.", "body.", "capturedata.endpointoutput.data.")


def _in_usage(*names: str) -> tuple[str, ...]:
    return tuple(
        f"{answer}{usage}{name}" for answer in _ANSWERS for usage in ("usage.", "") for name in names
    )


STAMPS = (
    *("arrival_time", "arrival_timestamp", "arrived_at", "received_at", "request_time", "request_timestamp"),
    *("requested_at", "requestedat", "request_start_time", "start_time", "starttime", "started_at"),
    *(
        "request.arrival_time",
        "request.received_at",
        "request.start_time",
        "request.timestamp",
        "request.time",
    ),
    *("timestamp", "@timestamp", "time", "ts", "datetime", "request.created_at", "created_at", "createdat"),
    *("eventmetadata.inferencetime", "metadata.request_start_ns"),
    *(f"{answer}created" for answer in _ANSWERS),
)
"""The nearest to the arrival first: an answer's own `created` is whole seconds, and the moment it began."""
PROMPTS = (*_in_usage("prompt_tokens", "input_tokens"), "metrics.input_sequence_length.value")
OUTPUTS = (*_in_usage("completion_tokens", "output_tokens"), "metrics.output_sequence_length.value")
MODELS = ("request.model", *(f"{answer}model" for answer in _ANSWERS))
_STATUS = ("status_code", "status", "response.status_code", "response.status")


def is_failure(cells: Mapping[str, object]) -> bool:
    """Whether the row says of itself that its request failed: an error, or a status of 400 and more."""
    for name, value in cells.items():
        is_error = name == "error" or name.startswith("error.") or ".error" in name
        if is_error and value not in (None, "", False, 0):
            return True
    return any(_is_bad(cells.get(name)) for name in _STATUS)


def _is_bad(status: object) -> bool:
    if isinstance(status, str):
        return status.lower() in ("error", "failed", "failure") or (
            status.isdecimal() and int(status[:9]) >= 400
        )
    return isinstance(status, int | float) and status >= 400
