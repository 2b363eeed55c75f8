"""A race over a mix on the emulator, with lanes and slot cost as axes, and what is applied of it."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.gateway_lanes import GatewayLanes
from experiments.stack import engine, gateway
from tests.experiments import sweeping

pytestmark = pytest.mark.prove

FLAGS = (
    *("--engine", "emulator", "--max-active", "6", "--queue-mode", "queue", "--queue-timeout", "5s"),
    *("--mix", "person=32x8:0.5@alice/people,agent=128x48:0.5@bob/agents", "--lanes", "none,mix"),
    *("--slot-cost", "requests,tokens", "--load", "sustained@0.9x", "--measure", "12s", "--warm-up", "3s"),
    *("--slo", "ttft<=500ms,attainment>=0.6;agent:ttft<=30s,attainment>=0.3", "--budget", "3m", "--quiet"),
)


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("raced") / "run"
    done = sweeping.run(out, *FLAGS)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_the_race_finds_the_lanes_under_which_both_classes_are_served(raced: Path) -> None:
    """Behind agents people wait; with lanes they do not, whatever a slot costs."""
    found = json.loads((raced / "recommendation.json").read_text())
    assert found["setting"]["lanes"]["name"] == "mix"
    assert found["setting"]["queue_order"] == "fair"
    (at,) = found["loads"]
    assert all(one["attainment"] >= {"person": 0.6, "agent": 0.3}[one["name"]] for one in at["classes"])
    story = json.loads((raced / "race.json").read_text())
    assert {place["setting"]["slot_cost"] for place in story["races"][0]["places"]} == {"requests", "tokens"}
    assert {place["setting"]["lanes"]["name"] for place in story["races"][0]["places"]} == {"none", "mix"}


def test_it_is_applied_with_its_lanes(raced: Path, tmp_path: Path) -> None:
    """`recommend --apply` sets limits and lanes, and trusts nobody; recommended.env starts a gateway so."""
    with (
        engine.running(engine.choose("emulator"), log_dir=tmp_path) as emulator,
        gateway.running(engine_url=emulator.url, model=emulator.model, log_dir=tmp_path) as running,
    ):
        token = running.admin_token or ""
        command = [sys.executable, "-m", "experiments.recommend", str(raced), "--apply", running.url]
        done = subprocess.run(
            [*command, "--admin-token", token],
            cwd=sweeping.ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "its lanes (mix): version 2 in force" in done.stderr
        with closing(GatewayAdmin(running.endpoint, token)) as admin:
            seen = GatewayLanes(admin).seen()
            assert {lane.name for lane in seen.lanes.lanes} == {
                "alice/people", "bob/agents", "other/agents",
            }  # fmt: skip
            assert not seen.trusted
            assert admin.limits().queue_order == "fair"
