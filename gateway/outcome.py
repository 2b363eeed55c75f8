"""How a request can end: the closed set behind every metric label, log line and error code."""

from enum import StrEnum


class Outcome(StrEnum):
    """One per request, decided once."""

    OK = "ok"
    CLIENT_ABORT = "client_abort"
    REJECTED_FULL = "rejected_full"
    REJECTED_MODE = "rejected_mode"
    OVER_BUDGET = "over_budget"
    QUEUE_TIMEOUT = "queue_timeout"
    DRAINING = "draining"
    INVALID = "invalid"
    TOO_LARGE = "too_large"
    UNAUTHORIZED = "unauthorized"
    RATE_LIMITED = "rate_limited"
    UPSTREAM_ERROR = "upstream_error"
    UPSTREAM_OVERLOADED = "upstream_overloaded"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_TRUNCATED = "upstream_truncated"
    INTERNAL = "internal"


class Route(StrEnum):
    """The metric label `route`. Those above `models` go to the engine, by what `served` says of each."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"
    EMBEDDINGS = "embeddings"
    RERANK = "rerank"
    SCORE = "score"
    TOKENIZE = "tokenize"
    DETOKENIZE = "detokenize"
    MODELS = "models"
    HEALTH = "health"
    READY = "ready"
    METRICS = "metrics"
    ADMIN = "admin"
    OTHER = "other"
