"""The records of an earlier run become a trace that `--scenario trace` plays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments import export_trace
from experiments.errors import UserError
from experiments.run_folder import record_table
from loadtests.outcome import Outcome
from loadtests.planning import plan as plans
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.planning.trace_files import reading
from loadtests.planning.trace_files.trace import Trace
from loadtests.record import RequestRecord
from loadtests.recording.run_folder import RunFolder
from tests.experiments.runs_on_disk import Recipe, write

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "vllm-cpu"
CELL = "ma16-reject--burst-1.2x--b0"


def exported(folder: Path, *arguments: str) -> Trace:
    """The export, read as a load run reads it."""
    out = folder / "trace.csv"
    assert export_trace.main([*arguments, "--out", str(out)]) == 0
    return reading.read(out)


@pytest.mark.parametrize("arguments", [(str(EXAMPLE), "--cell", CELL), (str(EXAMPLE / "cells" / CELL),)])
def test_a_cell_of_a_sweep(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Every arrival of the cell, at its due time, also those that were refused."""
    trace = exported(tmp_path, *arguments)
    records = record_table.read(EXAMPLE / "cells" / CELL)
    due_s = np.sort([record.due_s for record in records])
    assert any(record.outcome != Outcome.OK for record in records)
    assert trace.arrival_s == pytest.approx(due_s - due_s[0], abs=1e-6)
    assert trace.format == "headroom"
    assert set(trace.prompt_tokens.tolist()) == {64}


def load_run(folder: Path, plan: Plan) -> list[RequestRecord]:
    """The folder of a load run: odd requests were refused, the engine counted 3 prompt tokens more."""
    run = RunFolder(folder)
    run.create(plan)
    records = [
        RequestRecord(a.i, f"r{a.i}", a.phase, a.cls, a.session, a.due_s, Outcome.REJECTED_FULL)
        if a.i % 2
        else RequestRecord(
            a.i, f"r{a.i}", a.phase, a.cls, a.session, a.due_s, Outcome.OK,
            prompt_tokens=a.prompt_tokens + 3, output_tokens=a.output_tokens,
        )
        for a in plan.arrivals
    ]  # fmt: skip
    lines = run.open_records()
    for record in reversed(records):
        lines.append(record.to_json())
    lines.close()
    return records


def test_a_load_run(tmp_path: Path) -> None:
    """Lengths are the engine's, else the planned ones; sessions and prefixes come back as they were."""
    mix = Mix("lognormal", turns=3.0, turn_gap_s=0.1, prefix_groups=2, prefix_tokens=8)
    plan = plans.make("sustained", 20.0, 1.0, 10.0, 3, mix)
    load_run(tmp_path / "run", plan)
    trace = exported(tmp_path, str(tmp_path / "run"))
    arrivals = plan.arrivals
    assert trace.arrival_s == pytest.approx([a.due_s - arrivals[0].due_s for a in arrivals], abs=1e-6)
    assert trace.prompt_tokens.tolist() == [a.prompt_tokens + (0 if a.i % 2 else 3) for a in arrivals]
    assert trace.output_tokens.tolist() == [a.output_tokens for a in arrivals]
    assert trace.session.tolist() == [a.session for a in arrivals]
    pairs = {(a.prefix_group, group) for a, group in zip(arrivals, trace.prefix_group.tolist(), strict=True)}
    assert len(pairs) == 2
    assert trace.cls == tuple(a.cls for a in arrivals)


def test_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The CSV alone; what was written is told on standard error."""
    load_run(tmp_path / "run", plans.make("sustained", 5.0, 0.0, 2.0, 1))
    assert export_trace.main([str(tmp_path / "run")]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "arrival_s,prompt_tokens,output_tokens,session,prefix_group,class"
    assert f"{len(out.splitlines()) - 1} of" in err


def test_requests_of_unknown_length_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a plan, what was refused has no length."""
    load_run(tmp_path / "run", plans.make("sustained", 20.0, 0.0, 4.0, 1))
    (tmp_path / "run" / "plan.json").unlink()
    trace = exported(tmp_path, str(tmp_path / "run"))
    assert set(trace.prompt_tokens.tolist()) == {Mix().prompt_tokens + 3}
    assert "of unknown length left out" in capsys.readouterr().err


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    """One sentence each."""
    run = write(tmp_path / "sweep", Recipe(blocks=1))
    load_run(tmp_path / "load", plans.make("sustained", 5.0, 0.0, 2.0, 1))
    (tmp_path / "load" / "records.jsonl").write_text('{"i": 1}\n')
    for arguments, said in (
        ([str(tmp_path)], "holds no records"),
        ([str(tmp_path / "none")], "holds no records"),
        ([str(tmp_path / "load")], "cannot be read"),
        ([str(tmp_path / "load"), "--cell", "x"], "is not the folder of a sweep"),
        ([str(EXAMPLE)], "has 12 cells; give --cell, one of"),
        ([str(EXAMPLE), "--cell", "x"], "--cell x: no finished cell"),
        ([str(run), "--cell", next((run / "cells").iterdir()).name], "no request whose lengths are known"),
        ([str(EXAMPLE), "--cell", CELL, "--out", str(tmp_path)], "cannot write"),
    ):
        with pytest.raises(UserError, match=said):
            export_trace.main(arguments)
