"""What is said of a race before it starts."""

from dataclasses import replace

from experiments.design import matrix
from experiments.design.probe import ASSUMED
from experiments.racing.plan import announced, dry_run, in_stretches, one_block, race_plan
from experiments.spec.load_section import LoadSection
from experiments.spec.sweep_spec import SweepSpec
from loadtests.slo import SLO


def test_what_is_decided_and_how_long_it_takes_at_most() -> None:
    """One sentence with the three parts of the time; a search for which there is no time is not promised."""
    spec, slo = SweepSpec(), SLO(ttft_s=1.0)
    whole = matrix.build(one_block(spec), ASSUMED, slo)
    short = matrix.build(in_stretches(one_block(spec)), ASSUMED, slo)
    plan = replace(race_plan(spec, whole, short, 1), race_s=420.0, confirm_s=60.0, search_s=90.0)
    assert announced(plan) == (
        "to be decided: which of 6 settings is the best within 3 % under burst@1.2x and sustained@0.7x, in 7 "
        "min at most; then about 1 min to confirm it, and up to 1 min 30 s for the largest rate that it takes"
    )
    assert announced(replace(plan, search_s=0.0)).endswith("then about 1 min to confirm it")


def test_a_dry_run_says_that_loads_follow_from_the_probe() -> None:
    """Only where the user named none."""
    assert "loads follow from the probe" in dry_run(SweepSpec())
    named = dry_run(SweepSpec(load=LoadSection(loads=("sustained@0.7x",))))
    assert "loads follow from the probe" not in named
    assert "sustained@0.7x" in named
