"""The matrix that `tune` predicts, how much engine time its verification may take, and `--dry-run`."""

from __future__ import annotations

from dataclasses import replace

from experiments.cli.tune_args import TuneOptions
from experiments.design import matrix as matrices
from experiments.design.cells import Cell, settings_of
from experiments.design.objective import DEFAULT_SLO, queue_timeout_s
from experiments.design.probe import ASSUMED
from experiments.files import read_json
from experiments.measure import prompt_cost
from experiments.spec.durations import show
from experiments.spec.setting import Setting
from experiments.tuning import candidates
from experiments.tuning.cell_runner import GRID_TRACES, TuneContext
from experiments.tuning.procedure import LOOKS
from experiments.tuning.task import Task
from experiments.twin.profile import Profile
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.planning.prompts import TokenCost
from loadtests.slo import SLO

SHARE_OF_GRID = 0.1
_CORE = 5
_BUSY_S = (10.0, 40.0)
_BUSY = 1.3


def task_of(context: TuneContext, profile: Profile) -> Task:
    """The settings of the spec, the derived start values and the current setting, under the loads of the
    grid.
    """
    spec, probe = context.options.sweep.spec, context.probe
    timeout_s = queue_timeout_s(context.slo.longest_ttft_s, probe.ttft_at_capacity_s)
    default = Setting(spec.design.current.limits(), lanes=spec.gateway.first_lanes)
    loads = tuple(spec.load.resolved(load, probe.capacity_per_s) for load in spec.load.parsed())
    least, derived = least_prompt(context), None

    def plan(cell: Cell) -> Plan:
        return as_the_engine_counts(context.grid.plan(cell), least)

    if not context.options.matrix_only:
        rate_per_s, shape = _BUSY * probe.capacity_per_s, spec.load
        mix = Mix.fixed(shape.prompt_tokens, shape.output_tokens)
        if shape.mix:
            mix = shape.requests(None, context.grid.context_tokens)
        busy = plans.make("sustained", rate_per_s, *_BUSY_S, shape.seed, mix)
        derived = candidates.derive(profile, context.slo, as_the_engine_counts(busy, least))
    asked = settings_of(spec, timeout_s)
    settings = candidates.around(asked, derived, default, largest=profile.max_num_seqs)
    default = next(setting for setting in settings if setting.name == default.name)
    return Task(
        settings, default, loads, context.slo, plan, lambda load: context.grid.phases[load].expected_s
    )


def least_prompt(context: TuneContext) -> int:
    """Tokens of the shortest prompt that the engine's chat template allows; 1 where it is not known."""
    path = prompt_cost.of_run(context.run, context.stack.engine)
    if path is None:
        return 1
    cost = TokenCost.from_json(read_json(path))
    return cost.template + min(cost.by_price)


def as_the_engine_counts(plan: Plan, least: int) -> Plan:
    """The plan with the prompts as long as the engine will find them: no shorter than its chat template."""
    if all(arrival.prompt_tokens >= least for arrival in plan.arrivals):
        return plan
    arrivals = tuple(a._replace(prompt_tokens=max(a.prompt_tokens, least)) for a in plan.arrivals)
    return replace(plan, arrivals=arrivals)


def verification_budget_s(context: TuneContext, task: Task, calibration_s: float) -> float:
    """What is left for measured cells: of --budget, or of a tenth of the grid but enough for three blocks."""
    spent_s = calibration_s + context.probe_s
    if context.options.budget_s is not None:
        return max(0.0, context.options.budget_s - spent_s)
    core_s = LOOKS[0] * _CORE * max(task.cell_s(load) for load in task.loads)
    return max(core_s, SHARE_OF_GRID * context.grid_s(task) - spent_s)


def dry_run(options: TuneOptions) -> str:
    """What would be predicted and measured, and for how long, without starting anything."""
    spec = options.sweep.spec
    slo = spec.load.objective(SLO.parse(spec.slo.text or DEFAULT_SLO))
    design = spec.design.model_copy(update={"budget_s": None})
    grid = matrices.build(spec.model_copy(update={"design": design}), ASSUMED, slo)
    settings, loads = {c.setting for c in grid.cells}, {c.load for c in grid.cells}
    blocks_s = LOOKS[0] * _CORE * max(grid.phases[load].expected_s for load in loads)
    grid_s = GRID_TRACES * grid.expected_s
    calibration = f"read from {options.model}" if options.model else "made first, three to four minutes"
    budget = show(options.budget_s) if options.budget_s else "a tenth of that, or what three blocks need"
    lines = [
        f"calibration: {calibration}",
        f"to predict: {len(settings)} settings, and those derived from objective and model, under:",
        *(f"  {load} = {load.rate_per_s:g}/s" for load in sorted(loads, key=str)),
        f"  on {options.traces} traces each",
        f"to verify: about {_CORE} cells × {LOOKS[0]} blocks, about {show(blocks_s)}: the two or three",
        "  settings that may be best, the current one, and the least certain cell",
        f"the same matrix measured on {GRID_TRACES} traces would take about {show(grid_s)}",
        f"budget: {budget}",
        f"assuming a capacity of {ASSUMED.capacity_per_s:g}/s and {ASSUMED.e2e_s:g} s for an idle request;",
        "  the probe of the real engine sets rates and windows",
    ]
    return "\n".join(lines)
