"""What a sweep is asked to do: a TOML file and the command line over it, checked before anything starts."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    ValidationError,
)

from experiments.errors import UserError
from experiments.spec.design_kind import DesignKind
from experiments.spec.durations import parse_s
from experiments.spec.load_section import LoadSection
from experiments.spec.strict import Strict, listed
from experiments.stack.engine_knobs import EngineKnobs, product
from experiments.stack.providers import known
from gateway.limits import LIMIT_NAMES, QueueMode, QueueOrder
from gateway.settings import LiveSettings, explain
from loadtests.reach.endpoint import without_login

AUTO = "auto"


def _seconds_or_auto(value: object) -> object:
    if isinstance(value, str) and value.strip().lower() == AUTO:
        return AUTO
    return parse_s(value) if isinstance(value, str) else value


def _provider_name(value: str) -> str:
    *names, last = known.SWEEP_CHOICES
    if value not in known.SWEEP_CHOICES:
        raise ValueError(f"should be {', '.join(map(repr, names))} or {last!r}")
    return value


Knobs = Annotated[
    tuple[Annotated[int, Field(ge=1, le=10_000_000)], ...],
    BeforeValidator(listed),
]
PositiveSeconds = Annotated[float, Field(gt=0, le=86_400)]
SecondsOrAuto = Annotated[PositiveSeconds | Literal["auto"], BeforeValidator(_seconds_or_auto)]


class EngineSection(Strict):
    """Which engine answers. `cpus` are core numbers, empty for no pinning, `auto` for the lower half of the
    cores where the engine computes on this machine's CPU.

    The last three are axes of the matrix, outside all others: the engine is started anew for each
    combination. Empty: as the engine has it.
    """

    provider: Annotated[str, AfterValidator(_provider_name)] = known.AUTO
    url: str | None = None
    model: str | None = None
    cpus: str = AUTO
    max_num_seqs: Knobs = ()
    max_num_batched_tokens: Knobs = ()
    max_num_queued_reqs: Knobs = ()

    def values(self) -> tuple[EngineKnobs, ...]:
        """What the engine is started with, one start after the other; a single empty one without axes."""
        return product((self.max_num_seqs, self.max_num_batched_tokens, self.max_num_queued_reqs))


class GatewaySection(Strict):
    """The axes of the matrix. Lists; a single value is a list of one.

    `queue_timeout_s = "auto"` comes from the SLO: its TTFT less the TTFT of the engine at capacity.
    """

    max_active: Annotated[
        tuple[Annotated[int, Field(ge=1, le=100_000)], ...], BeforeValidator(listed), Field(min_length=1)
    ] = (
        2,
        8,
        16,
    )
    queue_mode: Annotated[tuple[QueueMode, ...], BeforeValidator(listed), Field(min_length=1)] = tuple(
        QueueMode
    )
    queue_max: Annotated[
        tuple[Annotated[int, Field(ge=0, le=1_000_000)], ...], BeforeValidator(listed), Field(min_length=1)
    ] = (100,)
    queue_timeout_s: Annotated[tuple[SecondsOrAuto, ...], BeforeValidator(listed), Field(min_length=1)] = (
        "auto",
    )
    queue_order: Annotated[tuple[QueueOrder, ...], BeforeValidator(listed), Field(min_length=1)] = (
        QueueOrder.FIFO,
    )
    request_timeout_s: Annotated[PositiveSeconds, BeforeValidator(_seconds_or_auto)] = 300.0

    def axes(self, auto_queue_timeout_s: float) -> dict[str, tuple[int | float | str, ...]]:
        """The values of each of the gateway's limits, by name; `auto` replaced by what it stands for."""
        given = {name: getattr(self, name) for name in LIMIT_NAMES}
        lists = {name: value if isinstance(value, tuple) else (value,) for name, value in given.items()}
        return {
            name: tuple(auto_queue_timeout_s if value == AUTO else value for value in values)
            for name, values in lists.items()
        }


class WindowSection(Strict):
    """Length of a cell's phases. `auto` scales with the E2E latency that the probe measured."""

    warm_up_s: SecondsOrAuto = "auto"
    measure_s: SecondsOrAuto = "auto"
    drain_s: SecondsOrAuto = "auto"
    min_requests: Annotated[int, Field(ge=1, le=1_000_000)] = 85


class DesignSection(Strict):
    """`kind`: which cells are measured. A grid has `blocks` repeats with fresh arrival traces, every cell
    of a block on the same; a race may take as long as that grid would, or `budget_s`.

    `sentinel`: with two blocks or more, each of a grid's holds one cell of the `current` setting, to see
    drift.
    """

    kind: DesignKind = DesignKind.RACE
    blocks: Annotated[int, Field(ge=1, le=100)] = 1
    budget_s: Annotated[PositiveSeconds | None, BeforeValidator(_seconds_or_auto)] = None
    sentinel: bool = True
    current: LiveSettings = LiveSettings.model_validate({})

    @property
    def is_grid(self) -> bool:
        return self.kind is DesignKind.GRID

    @property
    def is_model(self) -> bool:
        return self.kind is DesignKind.MODEL


class SloSection(Strict):
    """`text` like `ttft<=1s,tpot<=60ms,attainment>=0.95`; none means that default, scaled to the engine where
    it is ours."""

    text: str | None = None


YOUNGER_KEYS: dict[tuple[str, str], JsonValue] = {
    ("load", "lengths"): "auto",
    ("load", "usage"): "asked",
    ("load", "mix"): [],
    ("load", "turns"): 1.0,
    ("load", "turn_gap_s"): 5.0,
    ("load", "tool_calls"): 0.0,
    ("load", "tool_s"): 2.0,
    ("load", "turn_tokens"): 0,
    ("load", "branches"): 0,
    ("design", "kind"): "grid",
}
"""Section and name of keys that runs of earlier versions lack, and what those runs did: with that value
such a key changes no fingerprint, so that those runs go on."""


class SweepSpec(Strict):
    """Everything that defines a sweep."""

    engine: EngineSection = EngineSection()
    gateway: GatewaySection = GatewaySection()
    load: LoadSection = LoadSection()
    window: WindowSection = WindowSection()
    design: DesignSection = DesignSection()
    slo: SloSection = SloSection()

    def digest(self) -> str:
        """Twelve hex digits that change whenever any key does: the fingerprint a resumed run is checked
        against."""
        dumped = self.model_dump(mode="json")
        for (section, key), then in YOUNGER_KEYS.items():
            if dumped[section][key] == then:
                del dumped[section][key]
        text = json.dumps(dumped, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def load(path: Path | None, overrides: dict[str, dict[str, Any]]) -> SweepSpec:
    """The TOML file at `path` (or the defaults) with the command line's `{section: {key: value}}` over it.

    Raises:
        UserError: one sentence naming key, value and what is allowed.
    """
    data = _read_toml(path) if path is not None else {}
    for section, values in overrides.items():
        base = data.setdefault(section, {})
        if not isinstance(base, dict):
            raise UserError(f"{path}: [{section}] must be a table, not {base!r}")
        base.update(values)
    try:
        return SweepSpec.model_validate(data)
    except ValidationError as error:
        raise UserError(_one_sentence(error, path)) from None


def with_current(spec: SweepSpec, limits: Mapping[str, str]) -> SweepSpec:
    """The spec with these limits as the current setting.

    Raises:
        UserError: one sentence naming key, value and what is allowed.
    """
    try:
        current = LiveSettings.model_validate(limits)
    except ValidationError as error:
        raise UserError(f"the current setting, from the environment: {explain(error, limits)}") from None
    return spec.model_copy(update={"design": spec.design.model_copy(update={"current": current})})


def with_engine_url(spec: SweepSpec, url: str) -> SweepSpec:
    """The spec with the engine at this address."""
    return spec.model_copy(update={"engine": spec.engine.model_copy(update={"url": url})})


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the spec {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}") from None


def _one_sentence(error: ValidationError, path: Path | None) -> str:
    """The first fault of `error`; pydantic's own list is for developers."""
    fault = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"] if not _is_branch_name(part))
    source = f"{path}: " if path is not None else ""
    if fault["type"] == "extra_forbidden":
        return f"{source}unknown key {where}; {_known_keys(fault['loc'])}"
    if fault["type"] == "too_short":
        return f"{source}{where} is an empty list; give at least one value"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{source}{where} = {without_login(repr(fault['input']))}: {message}"


def _is_branch_name(part: int | str) -> bool:
    return isinstance(part, str) and ("[" in part or part in ("float", "literal"))


def _known_keys(location: tuple[int | str, ...]) -> str:
    section = SweepSpec.model_fields.get(str(location[0])) if len(location) > 1 else None
    model = section.annotation if section is not None else SweepSpec
    fields = getattr(model, "model_fields", SweepSpec.model_fields)
    return "known keys are " + ", ".join(fields)
