"""Predicting a mixed load: each load class by its own objective, in virtual time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments import predict
from experiments.errors import UserError
from experiments.twin.predicted import measures, measures_of, of_class
from experiments.twin.profile import TINY_CPU
from experiments.twin.simulate import simulate
from gateway.limits import Limits
from loadtests.planning import plan
from loadtests.planning.load_class import parse_mix
from loadtests.planning.mix import Mix
from loadtests.slo import SLO

MIX = "short=32x8:0.8,long=256x64:0.2"
SLO_TEXT = "ttft<=2s,attainment>=0.9;long:e2e<=3s,attainment>=0.8"


def test_classes_are_parts_of_the_whole() -> None:
    """The attainment of all is the mean of the classes', weighed by what each was offered."""
    slo = SLO.parse(SLO_TEXT).for_classes(["short", "long"])
    trace = plan.make("sustained", 12.0, 2.0, 60.0, 3, Mix(classes=parse_mix(MIX)))
    done = simulate(trace.arrivals, TINY_CPU, Limits(max_active=4, queue_timeout_s=1.0))
    found = measures(trace, done, slo)
    assert set(found) == set(measures_of(slo))
    offered = [arrival.cls for arrival in trace.arrivals if arrival.phase == "measure"]
    shares = {name: found[of_class(name)] for name in ("short", "long")}
    whole = sum(share * offered.count(name) for name, share in shares.items()) / len(offered)
    assert found["attainment"] == pytest.approx(whole)
    assert all(0 < share < 1 for share in shares.values())
    strict = measures(trace, done, SLO.parse(SLO_TEXT.replace("3s", "1ms")).for_classes(["short", "long"]))
    assert strict[of_class("long")] == 0.0, "long answers are judged by their own bound"
    assert strict[of_class("short")] == shares["short"]


def test_the_command_predicts_a_mix_and_tells_each_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Relative loads refer to the capacity of the mix; one cell of each setting has each class's share."""
    (tmp_path / "profile.json").write_text(TINY_CPU.model_dump_json())
    spec = tmp_path / "sweep.toml"
    spec.write_text(
        '[gateway]\nmax_active = [4, 16]\nqueue_mode = "queue"\n[load]\nloads = ["sustained@0.7x"]\n'
    )
    flags = ["--model", str(tmp_path), "--spec", str(spec), "--traces", "4", "--seconds", "20"]
    assert predict.main([*flags, "--mix", MIX, "--slo", SLO_TEXT]) == 0
    document = json.loads((tmp_path / "predictions.json").read_text())
    assert document["slo"].split(";")[1:] == [
        "short:ttft<=2s,attainment>=0.9", "long:e2e<=3s,attainment>=0.8",
    ]  # fmt: skip
    for cell in document["cells"]:
        of = cell["expected"]
        shares = [of[of_class(name)]["mean"] for name in ("short", "long")]
        assert min(shares) - 1e-9 <= of["attainment"]["mean"] <= max(shares) + 1e-9
    plain = ["--mix", "short=32x8:1", "--slo", "ttft<=2s"]
    assert predict.main([*flags, *plain]) == 0
    one = json.loads((tmp_path / "predictions.json").read_text())
    (of_one,), (of_mix,) = one["capacity_per_s"].values(), document["capacity_per_s"].values()
    assert of_one > 1.5 * of_mix, "long requests cost more"
    assert "PREDICTED" in capsys.readouterr().out


def test_an_objective_of_a_class_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """In one sentence, before anything is played."""
    (tmp_path / "profile.json").write_text(TINY_CPU.model_dump_json())
    for flags in (["--mix", MIX, "--slo", "ttft<=1s;chat:ttft<=2s"], ["--slo", "ttft<=1s;chat:ttft<=2s"]):
        with pytest.raises(UserError, match=r"--slo: .*load class 'chat'"):
            predict.main(["--model", str(tmp_path), *flags])
