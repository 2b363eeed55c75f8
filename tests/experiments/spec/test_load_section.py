"""A mix in a spec: as text or as tables, checked before anything starts; no change for whoever has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.design import matrix
from experiments.design.default_loads import allowed_in_flight
from experiments.design.objective import queue_timeout_s
from experiments.design.probe import ASSUMED
from experiments.errors import UserError
from experiments.spec import sweep_spec
from experiments.spec.sweep_spec import SweepSpec
from loadtests.planning.load_class import LoadClass
from loadtests.slo import SLO

TABLES = """
[[load.mix]]
name = "chat"
share = 0.9

[[load.mix]]
name = "agents"
share = 0.1
workload = "agent-long"
slo = "ttft<=20s,attainment>=0.9"
tenant = "bob"
priority_class = "batch"
"""


def spec(tmp_path: Path, text: str, **load: object) -> SweepSpec:
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    return sweep_spec.load(path, {"load": load} if load else {})


def test_tables_and_text_say_the_same(tmp_path: Path) -> None:
    """Name, share, workload, objective and lane; a class's own objective is only in the table."""
    own = SLO(ttft_s=20.0, attainment=0.9)
    found = spec(tmp_path, TABLES).load.classes
    assert found == (
        LoadClass("chat", 0.9, "chat"),
        LoadClass("agents", 0.1, "agent-long", "bob", "batch", own),
    )
    typed = spec(tmp_path, "", mix="chat:0.9,agents=agent-long:0.1@bob/batch").load.classes
    assert [str(one) for one in typed] == [str(one) for one in found]


def test_what_the_command_line_says_of_a_class_goes_before_the_table(tmp_path: Path) -> None:
    """And the common objective is that of every class without one."""
    section = spec(tmp_path, TABLES).load
    slo = section.objective(SLO.parse("ttft<=1s"))
    assert slo.of("chat") == SLO(ttft_s=1.0)
    assert slo.of("agents").ttft_s == 20.0
    assert section.objective(SLO.parse("ttft<=1s;agents:ttft<=9s")).of("agents").ttft_s == 9.0
    with pytest.raises(ValueError, match="no load class 'bots'"):
        section.objective(SLO.parse("ttft<=1s;bots:ttft<=9s"))
    with pytest.raises(ValueError, match="no --mix"):
        SweepSpec().load.objective(SLO.parse("ttft<=1s;chat:ttft<=9s"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TABLES.replace("0.9\n", "0.8\n", 1), "sum to 0.9"),
        (TABLES.replace("agent-long", "agents-long"), "PROMPTxOUTPUT"),
        (TABLES.replace("ttft<=20s", "ttft"), "SLO term 'ttft'"),
        (TABLES.replace("tenant", "tenants"), "unknown key load.mix.1.tenants"),
        ("[load]\nworkloads = ['chat']\nmix = 'chat:1'", "give mix or workloads, not both"),
    ],
)
def test_a_mix_that_cannot_be_is_refused_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    """Naming the file, the key and what is allowed."""
    with pytest.raises(UserError, match=said) as error:
        spec(tmp_path, text)
    assert "sweep.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_runs_without_a_mix_keep_their_fingerprint(tmp_path: Path) -> None:
    """Those of before go on; a mix makes another run."""
    assert SweepSpec().digest() == "bea1c8f40655"
    assert spec(tmp_path, TABLES).digest() != SweepSpec().digest()


def test_every_setting_meets_the_same_mix_cut_to_the_context(tmp_path: Path) -> None:
    """Plans of a cell hold each class; prompts of a profile are cut to what the engine holds."""
    mixed = spec(tmp_path, TABLES, loads=["sustained@2"])
    slo = mixed.load.objective(SLO.parse("ttft<=1s"))
    planned = matrix.build(mixed, ASSUMED, slo, context_tokens=1024)
    plans = {cell.setting: planned.plan(cell) for cell in planned.cells}
    assert len({plan.hash for plan in plans.values()}) == 1
    (first, *_) = plans.values()
    assert {arrival.cls for arrival in first.arrivals} == {"chat", "agents"}
    assert max(arrival.prompt_tokens for arrival in first.arrivals) <= 768
    assert mixed.load.typical(None) == (1974, 215)
    assert mixed.load.typical(1024)[0] <= 768


def test_nobody_is_given_up_who_could_still_be_in_time() -> None:
    """The derived queue timeout is for the longest TTFT objective, the allowed batch for the strictest."""
    slo = SLO.parse("ttft<=1s;a:ttft<=1s,tpot<=60ms;b:ttft<=20s,tpot<=25ms")
    assert queue_timeout_s(slo.longest_ttft_s, 0.5) == queue_timeout_s(20.0, 0.5)
    strict = allowed_in_flight(SLO.parse("tpot<=25ms"), ASSUMED)
    assert allowed_in_flight(slo, ASSUMED) == strict
