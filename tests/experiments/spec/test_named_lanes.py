"""Lanes as an axis: where they come from, what they are called, what a setting with them is."""

import json
from pathlib import Path

import pytest

from experiments.cli import sweep_args
from experiments.design.cells import settings_of
from experiments.errors import UserError
from experiments.spec import named_lanes
from experiments.spec.named_lanes import NONE, NamedLanes, of_mix
from experiments.spec.setting import Setting
from experiments.spec.sweep_spec import SweepSpec
from gateway.lane import Lane, Lanes, PriorityClass
from gateway.lane_tables import next_lanes
from gateway.lane_tables import read as as_the_gateway
from gateway.limits import Limits, QueueMode, QueueOrder, SlotCost
from loadtests.planning.load_class import parse_mix

MIX = "chat=64x24:0.9@alice/people,long=512x64:0.1@bob/agents"
UNEVEN = NamedLanes(
    "uneven",
    Lanes(
        (PriorityClass("people", 2), PriorityClass("agents")),
        (
            Lane("alice", "people", 3.0),
            Lane("bob", "agents", 0.5, 4, 10, 6000.0, 9.5),
            Lane("other", "agents"),
        ),
    ),
)


def spec_of(*flags: str) -> SweepSpec:
    return sweep_args.parse(["--engine", "emulator", *flags]).spec


def test_each_load_class_that_names_a_lane_has_one() -> None:
    """Priority classes in the order in which they are named; whoever names none is in the last one."""
    found = of_mix(parse_mix("a=8x8:0.5@x/urgent,b=8x8:0.2@y/batch,c=8x8:0.2@x/batch,d=8x8:0.1"))
    assert found is not None
    assert [one.name for one in found.lanes.classes] == ["urgent", "batch", "default"]
    assert [lane.name for lane in found.lanes.lanes] == ["x/urgent", "y/batch", "x/batch", "other/default"]
    assert of_mix(parse_mix("a=8x8:0.5,b=8x8:0.5")) is None


def test_a_file_is_read_as_the_gateway_reads_it_and_written_so(tmp_path: Path) -> None:
    """Whose key is in which lane is not kept; what is written the gateway reads."""
    path = tmp_path / "uneven.toml"
    path.write_text(UNEVEN.to_toml().replace('name = "bob"', f'name = "bob"\nkey_sha256 = "{"a" * 64}"'))
    found = named_lanes.read(str(path))
    assert found == UNEVEN
    assert "a" * 64 not in json.dumps(found.to_json())
    assert NamedLanes.from_json(found.to_json()) == found
    assert next_lanes(as_the_gateway(found.to_toml().encode(), toml=True), None, 1).lanes == found.lanes


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--lanes", "nowhere.toml"), "no such file"),
        (("--lanes", "mix"), "has no class with a lane"),
        (("--lanes", "none,none"), "given twice"),
        (("--lanes", ""), ""),
    ],
)
def test_lanes_that_cannot_be_are_one_sentence(given: tuple[str, ...], said: str) -> None:
    if not said:
        assert spec_of(*given).gateway.lanes == ()
        return
    with pytest.raises(UserError, match=said):
        spec_of(*given)


def test_lanes_in_a_spec_file(tmp_path: Path) -> None:
    """As tables with a name; what is wrong in one is said in the gateway's words."""
    path = tmp_path / "sweep.toml"
    text = '[[gateway.lanes]]\nname = "two"\n[[gateway.lanes.tenant]]\nname = "a"\nweight = 2.0\n'
    path.write_text(text)
    (found,) = spec_of("--spec", str(path)).gateway.lanes
    assert [lane.name for lane in found.lanes.lanes] == ["a/default", "other/default"]
    path.write_text(text.replace("2.0", "0"))
    with pytest.raises(UserError, match=r"weight=0\S* is not allowed"):
        spec_of("--spec", str(path))


def test_with_lanes_the_order_is_the_one_that_shares(tmp_path: Path) -> None:
    """Unless another is given; without lanes it is fifo, which `fair` would be as well."""
    lanes = ("--mix", MIX, "--lanes", "none,mix", "--max-active", "8", "--queue-mode", "queue")
    orders = {s.lanes.name: s.limits.queue_order for s in settings_of(spec_of(*lanes), 1.0) if s.lanes}
    assert orders == {"none": QueueOrder.FIFO, "mix": QueueOrder.FAIR}
    given = settings_of(spec_of(*lanes, "--queue-order", "lifo"), 1.0)
    assert {setting.limits.queue_order for setting in given} == {QueueOrder.LIFO}
    both = settings_of(spec_of(*lanes, "--queue-order", "fifo,fair"), 1.0)
    assert len(both) == 3, "none in either order is one setting"


def test_a_gateway_of_our_own_has_the_lanes_that_the_mix_names() -> None:
    """Where nobody names any; one of somebody else's keeps its own."""
    (found,) = spec_of("--mix", MIX).gateway.lanes
    assert [lane.name for lane in found.lanes.lanes] == ["alice/people", "bob/agents", "other/agents"]
    elsewhere = ("--gateway-url", "http://127.0.0.1:9", "--model", "m")
    assert spec_of("--mix", MIX, *elsewhere).gateway.lanes == ()
    assert spec_of("--mix", MIX, "--lanes", "none").gateway.lanes == (NONE,)
    assert spec_of("--mix", "chat:0.9,code:0.1").gateway.lanes == ()


def test_lanes_of_the_mix_are_due_as_their_objectives_say() -> None:
    """For the order `edf`: as the flag has it, else the class; nothing where nobody gave any."""
    slo = "ttft<=1s;long:ttft<=20s"
    (found,) = spec_of("--mix", MIX, "--slo", slo, "--queue-order", "edf,fair").gateway.lanes
    due = {lane.name: lane.within_s for lane in found.lanes.lanes}
    assert due == {"alice/people": 1.0, "bob/agents": 20.0, "other/agents": None}
    (plain,) = spec_of("--mix", MIX).gateway.lanes
    assert {lane.within_s for lane in plain.lanes.lanes} == {None}


def test_a_setting_is_stored_with_its_lanes_and_read_back() -> None:
    """One of an earlier version has slots that count requests, and no lanes of its own."""
    limits = Limits(queue_order=QueueOrder.FAIR, slot_cost=SlotCost.TOKENS)
    setting = Setting(limits, lanes=UNEVEN)
    assert setting.name.endswith("-fair-tokens-lanes-uneven")
    assert Setting.from_json(json.loads(json.dumps(setting.to_json()))) == setting
    assert setting.env()["SLOT_COST"] == "tokens"
    assert not any("LANES" in name for name in setting.env())
    old = {name: value for name, value in Limits().values().items() if name != "slot_cost"}
    assert Setting.from_json(old) == Setting(Limits())
    with pytest.raises(ValueError, match="the lanes of a setting are an object"):
        Setting.from_json({**old, "lanes": "uneven"})


def test_settings_that_differ_in_lanes_only_are_neighbours() -> None:
    """The order comes with the lanes; in another number of slots they are none."""
    with_lanes = Setting(Limits(max_active=4, queue_order=QueueOrder.FAIR), lanes=UNEVEN)
    without = Setting(Limits(max_active=4), lanes=NONE)
    assert with_lanes.differs_in(without) == ("lanes",)
    wider = Setting(Limits(max_active=8, queue_mode=QueueMode.QUEUE), lanes=NONE)
    assert set(with_lanes.differs_in(wider)) == {"max_active", "lanes"}


def test_a_run_of_an_earlier_version_goes_on() -> None:
    """What it did not know changes no fingerprint, until it is used."""
    assert spec_of("--slot-cost", "requests").digest() == spec_of().digest()
    assert spec_of("--current", "SLOT_COST=requests").digest() == spec_of().digest()
    plain = spec_of("--mix", MIX, "--lanes", "none")
    for other in (("--slot-cost", "tokens"), ("--lanes", "none,mix"), ("--current", "SLOT_COST=tokens")):
        assert spec_of("--mix", MIX, "--lanes", "none", *other).digest() != plain.digest()
    dumped = plain.model_dump(mode="json")
    assert SweepSpec.model_validate(dumped).digest() == plain.digest()
