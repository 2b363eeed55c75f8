"""Every setting of the gateway: its name, default, bounds and meaning. `command_line` reads them."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from gateway import setting_values
from gateway.endpoint import Endpoint, login_of
from gateway.limits import Limits, QueueMode, QueueOrder, SlotCost
from gateway.segments import LEAST_BYTES

Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Bytes = Annotated[int, Field(ge=1, le=1 << 30)]
SECRETS = ("gateway_admin_token", "gateway_api_keys", "upstream_api_key")
"""Settings whose values are never shown."""


class BadSettingError(ValueError):
    """The user's mistake, in one sentence that names key, value and what is allowed."""


class LiveSettings(BaseModel):
    """The settings that `PUT /admin/limits` can change while requests run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_active: Count = Field(2, description="requests the engine works on at once (slots)")
    queue_mode: QueueMode = Field(
        QueueMode.QUEUE, description="without a free slot: wait (queue) or 429 at once (reject)"
    )
    queue_max: int = Field(100, ge=0, le=1_000_000, description="requests that may wait; 0 means no queue")
    queue_timeout_s: Seconds = Field(120.0, description="longest wait for a slot before 503, seconds")
    queue_order: QueueOrder = Field(
        QueueOrder.FIFO, description="who gets a freed slot; the orders: docs/backpressure.md"
    )
    request_timeout_s: Seconds = Field(300.0, description="a request's whole life, wait included, seconds")
    slot_cost: SlotCost = Field(
        SlotCost.REQUESTS,
        description="what bounds those that run: their number, or their tokens in the KV cache too",
    )

    @model_validator(mode="before")
    @classmethod
    def _a_default_gives_way(cls, given: object) -> object:
        """Of the two timeouts that bound each other, the one that nobody set fits itself to the other."""
        if not isinstance(given, dict) or ("queue_timeout_s" in given) == ("request_timeout_s" in given):
            return given
        wait_s, whole_s = (
            cls.model_fields[name].default for name in ("queue_timeout_s", "request_timeout_s")
        )
        try:
            if "request_timeout_s" in given:
                fitting = {"queue_timeout_s": min(wait_s, float(given["request_timeout_s"]))}
            else:
                longest_s = float(given["queue_timeout_s"])
                served_s = whole_s if longest_s <= whole_s else min(3600.0, longest_s + whole_s - wait_s)
                fitting = {"request_timeout_s": served_s}
        except (TypeError, ValueError):
            return given  # no number: the field itself says so
        return given | fitting if all(0 < value <= 3600 for value in fitting.values()) else given

    @model_validator(mode="after")
    def _a_request_outlives_its_wait(self) -> "LiveSettings":
        if self.queue_timeout_s > self.request_timeout_s:
            raise ValueError(
                f"queue_timeout_s={self.queue_timeout_s:g} is longer than "
                f"request_timeout_s={self.request_timeout_s:g}, which includes the wait; "
                "allowed: queue_timeout_s up to request_timeout_s"
            )
        return self

    def limits(self) -> Limits:
        """The first version of the limits."""
        return Limits.of({name: getattr(self, name) for name in LiveSettings.model_fields})


class Settings(LiveSettings):
    """All settings. Bounds of sizes are bytes, spans are seconds."""

    ttft_timeout_s: Seconds = Field(120.0, description="dispatch to the first event of a stream, seconds")
    idle_timeout_s: Seconds = Field(
        60.0, description="longest silence between two events of a stream, seconds"
    )
    connect_timeout_s: Seconds = Field(5.0, description="time to connect to the engine, seconds")
    stall_timeout_s: Seconds = Field(
        30.0, description="how long a client may stop reading its answer, seconds"
    )
    header_timeout_s: Seconds = Field(
        10.0, description="a request's head must be complete after this, seconds"
    )
    body_timeout_s: Seconds = Field(30.0, description="a request's body must be complete after this, seconds")
    keep_alive_s: Seconds = Field(75.0, description="idle client connections are closed after this, seconds")
    upstream_keep_alive_s: Seconds = Field(
        4.0, description="idle engine connections are closed after this; below the engine's own 5 s"
    )
    drain_delay_s: float = Field(
        0.0,
        ge=0,
        le=3600,
        allow_inf_nan=False,
        description="after SIGTERM: time to answer 503 on /ready before closing",
    )
    drain_timeout_s: Seconds = Field(
        30.0, description="after SIGTERM: time for running requests to finish, seconds"
    )
    probe_interval_s: Seconds = Field(
        2.0, description="between two background health probes of the engine, seconds"
    )
    breaker_failures: Count = Field(5, description="connections refused in a row before the breaker opens")
    breaker_cooldown_s: Seconds = Field(
        1.0, description="an open breaker lets one request try after this, seconds"
    )

    max_body_bytes: Bytes = Field(1 << 23, description="largest request body, bytes")
    max_header_bytes: Bytes = Field(32_768, description="largest request head, bytes")
    max_header_count: Count = Field(100, description="most header fields in a request")
    max_url_bytes: Bytes = Field(8_192, description="longest request target, bytes")
    max_connections: Count = Field(
        12_000, description="open client connections (at most 3/4 of the file limit)"
    )
    max_event_bytes: Bytes = Field(1 << 22, description="largest single event of a stream, bytes")
    max_answer_bytes: Bytes = Field(1 << 26, description="largest answer that is not streamed, bytes")
    max_choices: Count = Field(
        128, description="most sequences of one request (`n` times prompts); each takes one slot"
    )

    kv_tokens: int | None = Field(
        None,
        ge=1,
        le=10**12,
        description="budget of SLOT_COST=tokens; none: the engine is asked (vllm:cache_config_info)",
    )

    vllm_base_url: str = Field(
        "http://127.0.0.1:8000", description="the engine, without /v1; a login goes before the host"
    )
    model_name: str | None = Field(None, description="filled in where a request names no model")
    allowed_models: str | None = Field(
        None,
        min_length=1,
        description="comma-separated models that clients may name; none: the engine decides",
    )
    ask_usage: bool = Field(
        True, description="make streams end with their usage; off for engines that refuse `stream_options`"
    )
    gateway_host: str = Field("127.0.0.1", description="address to listen on")
    gateway_port: int = Field(8080, ge=0, le=65535, description="port to listen on, 0 for a free one")
    gateway_admin_token: str | None = Field(None, min_length=1, description="bearer token of /admin")
    gateway_api_keys: str | None = Field(
        None, min_length=1, description="comma-separated keys that clients must send"
    )
    lanes_file: str | None = Field(
        None, min_length=1, description="a lanes.toml: whose key is in which lane; none: everybody is alike"
    )
    allowed_origins: str | None = Field(
        None,
        min_length=1,
        description="comma-separated web origins whose pages may ask (CORS), or `*`; never for /admin",
    )
    upstream_priority: bool = Field(
        False,
        description="tell vLLM (`--scheduling-policy priority`) the place of a request's class; 0 goes first",
    )
    upstream_api_key: str | None = Field(None, min_length=1, description="bearer token sent to the engine")
    record_dir: str | None = Field(
        None,
        min_length=1,
        description="folder for a row of every finished completion; none: nothing is recorded",
    )
    record_max_bytes: int = Field(
        1 << 30,
        ge=LEAST_BYTES,
        le=1 << 50,
        description="most that RECORD_DIR holds, bytes; the oldest rows go",
    )
    record_keep_days: float = Field(
        30.0, gt=0, le=3650, allow_inf_nan=False, description="how long a row is kept, days"
    )
    record_salt_file: str | None = Field(
        None,
        min_length=1,
        description="secret behind the hashes in rows, made if missing; none: RECORD_DIR with .salt added",
    )
    record_session_header: str = Field(
        "x-session-id",
        min_length=1,
        description="header field that names a client's session; its hash is kept",
    )
    log_level: str = Field("info", description="debug, info, warning or error")
    workers: int = Field(1, description="only 1: admission is exact because one process counts")

    _login: str = PrivateAttr("")

    def engine(self, environ: Mapping[str, str]) -> Endpoint:
        """How the engine is reached; `environ` names proxies. Raises ValueError for an unusable one."""
        return Endpoint.of(self.vllm_base_url, self._login, self.upstream_api_key or "", environ)

    @model_validator(mode="wrap")
    @classmethod
    def _login_aside(cls, given: object, handler: ModelWrapValidatorHandler["Settings"]) -> "Settings":
        """The password of the URL is in no field: fields are shown."""
        made = handler(given)
        if isinstance(given, dict) and "vllm_base_url" in given:
            made._login = login_of(str(given["vllm_base_url"]))
        return made

    @model_validator(mode="before")
    @classmethod
    def _lanes_are_for_sharing(cls, given: object) -> object:
        """With lanes the order is fair, unless somebody says otherwise: in any other a flood goes first."""
        if isinstance(given, dict) and given.get("lanes_file") and "queue_order" not in given:
            return given | {"queue_order": QueueOrder.FAIR}
        return given

    def models(self) -> tuple[str, ...]:
        """The models that clients may name; empty when that is the engine's to decide."""
        return tuple(name.strip() for name in (self.allowed_models or "").split(",") if name.strip())

    @field_validator("queue_mode", "queue_order", "slot_cost", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("vllm_base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return setting_values.base_url(value)

    @field_validator("gateway_host")
    @classmethod
    def _host(cls, value: str) -> str:
        return setting_values.host(value)

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: str | None) -> str | None:
        return None if value is None else setting_values.origins(value)

    @field_validator("log_level")
    @classmethod
    def _log_level(cls, value: str) -> str:
        return setting_values.log_level(value)

    @field_validator("gateway_admin_token", "upstream_api_key")
    @classmethod
    def _secret(cls, value: str | None) -> str | None:
        return None if value is None else setting_values.secret(value)

    @field_validator("workers")
    @classmethod
    def _one_process_counts(cls, value: int) -> int:
        if value != 1:
            raise ValueError(
                "allowed: 1, because each worker would count its own MAX_ACTIVE "
                "and the engine would see the sum"
            )
        return value


def explain(error: ValidationError, given: Mapping[str, object], name: str = "{}") -> str:
    """The first fault of `error` as one sentence; `name` formats a key, as in `--{}`."""
    fault = error.errors(include_url=False)[0]
    if not fault["loc"]:
        return str(fault["msg"]).removeprefix("Value error, ")
    key = str(fault["loc"][0])
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = f"unknown; allowed: {', '.join(LiveSettings.model_fields)}"
    shown = "" if key in SECRETS else f"={setting_values.without_login(repr(given.get(key)))}"
    return f"{name.format(key)}{shown}: {message[0].lower() + message[1:]}"
