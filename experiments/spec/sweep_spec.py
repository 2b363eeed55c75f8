"""What a sweep is asked to do: a TOML file and the command line over it, checked before anything starts."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    ValidationError,
)

from experiments.errors import UserError
from experiments.spec.design_kind import DesignKind
from experiments.spec.gateway_section import (
    AUTO,
    GatewaySection,
    PositiveSeconds,
    SecondsOrAuto,
    seconds_or_auto,
)
from experiments.spec.load_section import LoadSection
from experiments.spec.named_lanes import OF_MIX, NamedLanes, of_mix
from experiments.spec.strict import Strict, listed
from experiments.stack.engine_knobs import EngineKnobs, product
from experiments.stack.providers import known
from gateway.limits import QueueOrder, SlotCost
from gateway.settings import LiveSettings, explain
from loadtests.reach.endpoint import without_login
from loadtests.slo import SLO


def _provider_name(value: str) -> str:
    *names, last = known.SWEEP_CHOICES
    if value not in known.SWEEP_CHOICES:
        raise ValueError(f"should be {', '.join(map(repr, names))} or {last!r}")
    return value


Knobs = Annotated[
    tuple[Annotated[int, Field(ge=1, le=10_000_000)], ...],
    BeforeValidator(listed),
]


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
    budget_s: Annotated[PositiveSeconds | None, BeforeValidator(seconds_or_auto)] = None
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
    ("load", "recorded"): None,
    ("load", "recorded_from"): "",
    ("load", "recorded_to"): "",
    ("gateway", "slot_cost"): ["requests"],
    ("gateway", "lanes"): [],
    ("design", "kind"): "grid",
}
"""Section and name of keys that runs of earlier versions lack, and what those runs did: with that value
such a key changes no fingerprint, so that those runs go on."""


def without_younger(dumped: Mapping[str, JsonValue]) -> dict[str, dict[str, JsonValue]]:
    """The sections of a dumped spec without what an earlier version did not know, where it says what that
    version did."""
    known = {name: dict(section) for name, section in dumped.items() if isinstance(section, dict)}
    for (section, key), then in YOUNGER_KEYS.items():
        if known.get(section, {}).get(key, then) == then:
            known.get(section, {}).pop(key, None)
    current = known.get("design", {}).get("current")
    if isinstance(current, dict) and current.get("slot_cost") == SlotCost.REQUESTS:
        known["design"]["current"] = {name: value for name, value in current.items() if name != "slot_cost"}
    return known


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
        dumped = without_younger(self.model_dump(mode="json"))
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
        return _with_lanes(SweepSpec.model_validate(data))
    except ValidationError as error:
        raise UserError(_one_sentence(error, path)) from None


def _with_lanes(spec: SweepSpec) -> SweepSpec:
    """The spec with `mix` among its lanes as what the load classes name, and in the order that shares.

    Raises:
        UserError: they name no lane.
    """
    if OF_MIX not in spec.gateway.lanes:
        return with_lanes(spec, spec.gateway.lanes)
    named = _of_mix(spec)
    if named is None:
        raise UserError(
            "gateway.lanes = 'mix': the load has no class with a lane; give it one, such as "
            "--mix chat:0.9@alice/interactive,agent-long:0.1@bob/batch"
        )
    return with_lanes(spec, tuple(named if one == OF_MIX else one for one in spec.gateway.lanes))


def _of_mix(spec: SweepSpec) -> NamedLanes | None:
    """The lanes that the load classes name, due as their objectives say, where somebody gave them."""
    own = {one.name: one.slo for one in spec.load.classes if one.slo is not None}
    if spec.slo.text is not None and spec.load.mix:
        try:
            own = dict(spec.load.objective(SLO.parse(spec.slo.text)).classes)
        except ValueError:
            own = {}  # the command line says what is wrong with it
    return of_mix(
        spec.load.classes, {name: slo.ttft_s for name, slo in own.items() if slo.ttft_s is not None}
    )


def with_lanes(spec: SweepSpec, lanes: tuple[NamedLanes, ...]) -> SweepSpec:
    """The spec with these lanes, and with the order that shares between them unless it names another."""
    if lanes != spec.gateway.lanes:
        spec = spec.model_copy(update={"gateway": spec.gateway.model_copy(update={"lanes": lanes})})
    return sharing(spec) if any(one.lanes.shared for one in lanes) else spec


def with_lanes_of_mix(spec: SweepSpec) -> SweepSpec:
    """The spec for a gateway of our own, which has no lanes but those of the matrix: where nobody has named
    any, it has those that the load classes name."""
    named = None if "lanes" in spec.gateway.model_fields_set else _of_mix(spec)
    return spec if named is None else with_lanes(spec, (named,))


def sharing(spec: SweepSpec) -> SweepSpec:
    """The spec with the queue order that shares between lanes, unless it names another."""
    if "queue_order" in spec.gateway.model_fields_set:
        return spec
    update = {"queue_order": (QueueOrder.FAIR,)}
    return spec.model_copy(update={"gateway": spec.gateway.model_copy(update=update)})


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
