"""The gateway's axes of a sweep: its limits and its lanes."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from experiments.spec.durations import parse_s
from experiments.spec.named_lanes import NamedLanes, StoredLanes
from experiments.spec.strict import Strict, listed
from gateway.limits import LIMIT_NAMES, QueueMode, QueueOrder, SlotCost

AUTO = "auto"


def seconds_or_auto(value: object) -> object:
    """Reads a span of time as people write it, or `auto`."""
    if isinstance(value, str) and value.strip().lower() == AUTO:
        return AUTO
    return parse_s(value) if isinstance(value, str) else value


def _each_once(lanes: tuple[NamedLanes, ...]) -> tuple[NamedLanes, ...]:
    names = [one.name for one in lanes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"lanes {twice[0]!r} are given twice: each needs a name of its own")
    return lanes


PositiveSeconds = Annotated[float, Field(gt=0, le=86_400)]
SecondsOrAuto = Annotated[PositiveSeconds | Literal["auto"], BeforeValidator(seconds_or_auto)]


class GatewaySection(Strict):
    """The axes of the matrix. Lists; a single value is a list of one.

    `queue_timeout_s = "auto"` comes from the SLO: its TTFT less the TTFT of the engine at capacity. `lanes`:
    `none`, `mix` (a lane for each that the load classes name), the path of a `lanes.toml`, or a table with a
    name; () leaves the gateway's as they are. With lanes the order is `fair` where nobody gives another.
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
    request_timeout_s: Annotated[PositiveSeconds, BeforeValidator(seconds_or_auto)] = 300.0
    slot_cost: Annotated[tuple[SlotCost, ...], BeforeValidator(listed), Field(min_length=1)] = (
        SlotCost.REQUESTS,
    )
    lanes: Annotated[tuple[StoredLanes, ...], BeforeValidator(listed), AfterValidator(_each_once)] = ()

    @property
    def first_lanes(self) -> NamedLanes | None:
        """Those of a setting that says nothing of lanes, such as today's: not those of the cell before."""
        return self.lanes[0] if self.lanes else None

    def axes(self, auto_queue_timeout_s: float) -> dict[str, tuple[int | float | str, ...]]:
        """The values of each of the gateway's limits, by name; `auto` replaced by what it stands for."""
        given = {name: getattr(self, name) for name in LIMIT_NAMES}
        lists = {name: value if isinstance(value, tuple) else (value,) for name, value in given.items()}
        return {
            name: tuple(auto_queue_timeout_s if value == AUTO else value for value in values)
            for name, values in lists.items()
        }
