"""What a recommendation leaves for gateway and compose, lanes and slot cost included."""

from dataclasses import replace
from pathlib import Path

from experiments.decide.recommendation import recommend
from experiments.decide.recommended_files import LANES_FILE, save
from experiments.spec.named_lanes import NONE, of_mix
from experiments.spec.setting import Setting
from gateway.lane_tables import from_file
from gateway.limits import QueueOrder, SlotCost
from gateway.settings import LiveSettings
from loadtests.planning.load_class import parse_mix
from loadtests.slo import SLO
from tests.experiments.runs_on_disk import SETTINGS, Recipe, write
from tests.experiments.runs_on_disk import SLO as TEXT

FAIR = replace(SETTINGS[1].limits, queue_order=QueueOrder.FAIR, slot_cost=SlotCost.TOKENS)
MIX = of_mix(parse_mix("a=8x8:0.5@x/people,b=8x8:0.5@y"))


def written(folder: Path, setting: Setting) -> tuple[Path, str]:
    """A run whose setting it is, and its recommended.env."""
    run = write(folder / "run", Recipe(settings=(setting,), loads=(3.0,), blocks=1))
    return run, save(run, recommend(run, SLO.parse(TEXT))).read_text()


def test_lanes_are_a_file_beside_the_variables(tmp_path: Path) -> None:
    """The gateway reads both: the limits as variables, the lanes once keys are added; a comment says so."""
    assert MIX is not None
    run, text = written(tmp_path, Setting(FAIR, lanes=MIX))
    values = dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))
    found = LiveSettings.model_validate({name.lower(): value for name, value in values.items()})
    assert found.limits() == FAIR
    assert f"# Lanes 'mix': {LANES_FILE}" in text
    assert f"/etc/headroom/lanes/{LANES_FILE}" in text
    book = from_file(str(run / LANES_FILE))
    assert book is not None
    assert book.lanes == MIX.lanes
    assert not any(clients.digests for clients in book.clients.values())


def test_no_lanes_are_said_and_no_file(tmp_path: Path) -> None:
    """Where the sweep did not vary them nothing is said of them."""
    run, text = written(tmp_path / "none", Setting(SETTINGS[1].limits, lanes=NONE))
    assert "# No lanes" in text
    assert not (run / LANES_FILE).exists()
    _, text = written(tmp_path / "plain", SETTINGS[1])
    assert "anes" not in text
