"""What a sweep offers: the loads, and what their requests ask for."""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from experiments.spec.loads import Load, parse_load
from experiments.spec.strict import Strict, listed
from loadtests.planning.optional_fields import AnswerLengths, UsageFields
from loadtests.planning.rate import RECORDED
from loadtests.slo import SLO

if TYPE_CHECKING:
    from loadtests.planning.load_class import LoadClass
    from loadtests.planning.mix import Mix
    from loadtests.planning.plan import Plan
    from loadtests.traffic.recorded import Recorded


SESSION_KEYS = ("turns", "turn_gap_s", "tool_calls", "tool_s", "turn_tokens", "branches")
"""The keys of the section that say what sessions are, each a field of `Mix` as well."""


def open_scenarios() -> tuple[str, ...]:
    """What a load of a sweep can be."""
    from loadtests.planning.scenarios import SCENARIOS  # with numpy: only for a load that is named

    return tuple(name for name, scenario in SCENARIOS.items() if scenario.loop == "open" and name != "trace")


class ClassSection(Strict):
    """One load class of a mix, as a table `[[load.mix]]` has it: `workload` is the class's name where it is
    left out, `slo` the sweep's objective; `tenant` and `priority_class` are its lane at the gateway."""

    name: str
    share: float
    workload: str | None = None
    slo: str | None = None
    tenant: str = ""
    priority_class: str = ""

    @field_validator("slo")
    @classmethod
    def _slo_parses(cls, value: str | None) -> str | None:
        return None if value is None else str(SLO.parse(value))


def _classes_listed(value: object) -> object:
    """`chat:0.9,agent-long:0.1` as the tables that it stands for."""
    if not isinstance(value, str):
        return value
    from loadtests.planning.load_class import parse_mix  # with numpy: only for a mix

    return [one.to_json() for one in parse_mix(value)]


def _load_classes(sections: tuple[ClassSection, ...]) -> "tuple[LoadClass, ...]":
    """Raises ValueError with a sentence naming what is wrong with them."""
    if not sections:
        return ()
    from loadtests.planning.load_class import LoadClass, whole_mix

    return whole_mix(
        [
            LoadClass(
                one.name,
                one.share,
                one.workload or one.name,
                one.tenant,
                one.priority_class,
                None if one.slo is None else SLO.parse(one.slo),
            )
            for one in sections
        ]
    )


class LoadSection(Strict):
    """What is offered. `loads` are SCENARIO@RATE, the rate in requests per second or as a multiple of
    capacity (`0.7x`).

    `workloads`, an axis, cross with the loads and replace the two lengths; the first is the one whose probe
    scales the SLO and the queue timeout. Each has a capacity of its own, which relative rates refer to.
    `mix`: load classes that every load mixes, in place of one workload; relative rates refer to the capacity
    of their mean lengths. `recorded`: the folder of a gateway's recording, from and to these times, which the
    loads named recorded play: their relative rates are multiples of the recorded one, and other loads have
    its mean lengths. `turns` to `branches`: the sessions that requests belong to, as `Mix` has them; one turn
    and no tool calls: those of the workload, which only `agent` has. `lengths` and `usage`: what an engine
    that refuses fields is asked without; `auto`: forced, unless the engine is known not to keep to it.
    """

    loads: Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)] = (
        "sustained@0.7x",
        "burst@1.2x",
    )
    recorded: str | None = None
    recorded_from: str = ""
    recorded_to: str = ""
    prompt_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 64
    output_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 24
    workloads: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    mix: Annotated[tuple[ClassSection, ...], BeforeValidator(_classes_listed)] = ()
    turns: Annotated[float, Field(ge=1, le=1000)] = 1.0
    turn_gap_s: Annotated[float, Field(ge=0, le=3600)] = 5.0
    tool_calls: Annotated[float, Field(ge=0, le=1000)] = 0.0
    tool_s: Annotated[float, Field(ge=0, le=3600)] = 2.0
    turn_tokens: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    branches: Annotated[int, Field(ge=0, le=64)] = 0
    lengths: AnswerLengths | Literal["auto"] = "auto"
    usage: UsageFields = UsageFields.ASKED
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 1

    @field_validator("loads")
    @classmethod
    def _loads_parse(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(parse_load(text, open_scenarios())) for text in value)

    @field_validator("workloads")
    @classmethod
    def _workloads_parse(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from experiments.spec import workloads  # the same of lengths

        return tuple(dict.fromkeys(workloads.parse(text) for text in value))

    @field_validator("mix")
    @classmethod
    def _mix_is_whole(cls, value: tuple[ClassSection, ...]) -> tuple[ClassSection, ...]:
        _load_classes(value)
        return value

    @model_validator(mode="after")
    def _one_kind_of_workloads(self) -> "LoadSection":
        if self.mix and self.workloads:
            raise ValueError("a mix brings its own workloads: give mix or workloads, not both")
        plays = any(text.startswith(f"{RECORDED}@") for text in self.loads)
        if plays != bool(self.recorded) or (not plays and (self.recorded_from or self.recorded_to)):
            raise ValueError(
                f"a load such as {RECORDED}@1.0x and the folder of the recording (with its from and to) go "
                "together: give both"
            )
        if plays and (self.mix or self.workloads):
            raise ValueError("a recording brings its own requests and lanes: leave mix and workloads out")
        return self

    @cached_property
    def traffic(self) -> "Recorded | None":
        """What was recorded, read once; None where nothing recorded is played.

        Raises:
            ValueError: with a sentence naming what is wrong.
        """
        if self.recorded is None:
            return None
        from experiments.spec import recorded_traffic  # with pyarrow: only for a recording

        return recorded_traffic.read(self.recorded, self.recorded_from, self.recorded_to)

    @property
    def is_recorded(self) -> bool:
        """Whether nothing but recorded traffic is played."""
        return all(load.scenario == RECORDED for load in self.parsed())

    def recorded_plan(
        self, load: Load, warm_up_s: float, measure_s: float, block: int, context_tokens: int | None
    ) -> "Plan":
        """The plan of a recorded load: the stretch of the recording with that number, from 0, cut to what an
        engine with that context holds (None: not known)."""
        from experiments.spec import recorded_traffic

        assert self.traffic is not None, "a load that is recorded has a recording"
        stretch = warm_up_s, measure_s, block
        return recorded_traffic.plan(self.traffic, load, stretch, self.seed, context_tokens)

    def resolved(self, load: Load, capacity_per_s: float) -> Load:
        """The load with its rate in requests per second, on an engine of that capacity."""
        if load.scenario == RECORDED and self.traffic is not None:
            return load.at_capacity(self.traffic.rate_per_s)
        return load.at_capacity(capacity_per_s)

    @property
    def classes(self) -> "tuple[LoadClass, ...]":
        """The load classes, with shares that sum to 1; none where all requests are of one kind."""
        return _load_classes(self.mix)

    def requests(self, workload: str | None, context_tokens: int | None) -> "Mix":
        """What the requests of a load under this workload ask for (None: the only one), on an engine with
        that context (None: not known)."""
        from experiments.spec import workloads

        if self.mix:
            mixed = workloads.mix_of_classes(self.classes, context_tokens)
        elif self.traffic is not None:
            mixed = workloads.mix("{}x{}".format(*self.typical(context_tokens)), context_tokens)
        else:
            mixed = workloads.mix(workload or self.reference, context_tokens)
        if self.in_sessions and context_tokens is not None:
            mixed = workloads.with_room(mixed, context_tokens)
        return replace(mixed, **{name: getattr(self, name) for name in SESSION_KEYS})

    @property
    def in_sessions(self) -> bool:
        """Whether requests of any lengths are in sessions."""
        from loadtests.planning.scenarios import SCENARIOS

        scenarios = (parse_load(text, open_scenarios()).scenario for text in self.loads)
        of_scenario = any(SCENARIOS[name].sessions is not None for name in scenarios)
        return self.turns > 1 or self.tool_calls > 0 or of_scenario

    def typical(self, context_tokens: int | None) -> tuple[int, int]:
        """Mean lengths of prompt and answer, tokens: what the engine is probed with first."""
        from experiments.spec import workloads

        if self.mix:
            return workloads.typical_of_classes(self.classes, context_tokens)
        if self.traffic is not None:
            return workloads.within(self.traffic.mean_tokens, context_tokens)
        return workloads.typical(self.reference, context_tokens)

    def objective(self, common: SLO) -> SLO:
        """`common` with the objective of each load class.

        Raises:
            ValueError: it names a class that the mix has not.
        """
        if self.traffic is not None and self.is_recorded and common.classes:
            return common.for_classes(one.name for one in self.traffic.classes())
        if not self.mix:
            if common.classes:
                raise ValueError(f"it names load class {common.classes[0][0]!r}, and the load has no --mix")
            return common
        own = {one.name: one.slo for one in self.classes if one.slo is not None}
        return common.for_classes([one.name for one in self.mix], own)

    @property
    def are_named(self) -> bool:
        """Whether file or flag names the loads; else a race takes those that follow from its probe."""
        return "loads" in self.model_fields_set

    @property
    def reference(self) -> str:
        """The workload that the engine is probed with first."""
        return self.workloads[0] if self.workloads else f"{self.prompt_tokens}x{self.output_tokens}"

    def parsed(self) -> tuple[Load, ...]:
        """The loads, with duplicates dropped, in the order given; each under each workload."""
        loads = dict.fromkeys(parse_load(text, open_scenarios()) for text in self.loads)
        return tuple(replace(load, workload=name) for name in self.workloads or (None,) for load in loads)
