"""Every outcome has a label and a place in the bar chart; settings are named by what differs."""

from experiments.run_folder.cell_summary import Workload
from experiments.spec.loads import Load
from experiments.spec.setting import Setting
from experiments.stack.engine_knobs import EngineKnobs
from gateway.limits import Limits, QueueMode
from loadtests.outcome import Outcome
from reports import labels
from reports.figures.outcomes import GROUPS
from reports.naming import shared
from reports.run import Run


def test_every_outcome_has_a_label() -> None:
    """A new outcome must not reach the reader as its code name."""
    assert set(labels.BY_OUTCOME) == set(Outcome)
    assert set(labels.OUTCOMES) == {*Outcome, "served_in_slo", "served_late", "missing"}


def test_every_outcome_belongs_to_one_group_of_the_bars() -> None:
    """What belongs to none would be drawn as failed, what belongs to two twice."""
    members = [name for _, names in GROUPS.values() for name in names]
    assert sorted(members) == sorted(labels.OUTCOMES)


def test_a_relative_load_says_of_what() -> None:
    """Of the engine's capacity, and where recorded traffic is played of its own rate."""
    named = [
        labels.load(Workload.planned(Load(scenario, 3.5, 1.25), 0)) for scenario in ("sustained", "recorded")
    ]
    assert named == ["sustained 3.5/s (1.25 × capacity)", "recorded 3.5/s (1.25 × recorded)"]


def _setting(slots: int, timeout_s: float = 2.0, length: int = 8, seqs: int | None = None) -> Setting:
    limits = Limits(max_active=slots, queue_max=length, queue_mode=QueueMode.QUEUE, queue_timeout_s=timeout_s)
    return Setting(limits, EngineKnobs(max_num_seqs=seqs))


def _named(*settings: Setting) -> list[str]:
    same = shared(settings)
    return [labels.setting(one, same) for one in settings]


def test_settings_are_named_by_what_differs() -> None:
    """A length, a wait or an engine's limit that all have is not said; slots and mode always are; what only
    one setting has of its own is said of it, and two settings never share a name.
    """
    assert _named(_setting(4), _setting(8)) == ["4 slots · queue", "8 slots · queue"]
    assert _named(_setting(4), _setting(4, timeout_s=10)) == ["4 slots · queue 2 s", "4 slots · queue 10 s"]
    assert _named(_setting(4, seqs=8), _setting(4, length=16, seqs=8)) == [
        "4 slots · queue 8",
        "4 slots · queue 16",
    ]
    assert _named(_setting(4, seqs=8), _setting(4)) == ["4 slots · queue · max_num_seqs 8", "4 slots · queue"]
    reject = Setting(Limits(max_active=4, queue_mode=QueueMode.REJECT))
    assert _named(reject, _setting(4)) == ["4 slots · reject", "4 slots · queue"]
    assert _named(_setting(4)) == ["4 slots · queue 8 · 2 s"], "a setting alone has nothing to differ from"


def test_a_page_names_the_settings_of_its_run_apart(run: Run) -> None:
    """As many names as settings; what is the same in all of them is in none."""
    assert run.shown["setting"].nunique() == run.cells["setting"].nunique() > 2
    assert "4 slots · queue 8 · 0.4 s" in set(run.cells["setting"])
    assert "4 slots · queue" in set(run.shown["setting"])
