"""Whatever a file holds: a trace whose columns are sound, or one sentence. Never anything else."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtests.planning.mix import Mix
from loadtests.planning.trace_files import reading
from loadtests.planning.trace_files.formats import FORMATS
from loadtests.planning.trace_files.replay import replay
from loadtests.planning.trace_files.trace import Trace, TraceError
from loadtests.planning.trace_files.units import TraceUnit
from loadtests.traces import as_text, described
from tests.loadtests.planning.trace_data import FOLDER

BOUNDED = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NAMES = sorted({name for fmt in FORMATS for name in (*fmt.stamp, *fmt.prompt, *fmt.output, *fmt.session)})
ODD = (
    *(
        "",
        " ",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "-1",
        "-0",
        "0",
        "1",
        "1.5",
        "1e3",
        "1e400",
        "5e-324",
        "1_0",
        "0x1",
    ),
    *("9" * 400, "1,5", "true", "null", "[1, 2]", "{}", '"', "'", "\ufeff", "\u0661", "\x0c", "\u2028", "é"),
    *("2023-11-16 18:15:46.6805900", "2023/11/16 18:15", "2023-11-16T18:15:46Z", "0001-01-01 00:00:00+23:59"),
    *("9999-12-31 23:59:59-23:59", "16.11.2023 18:15", "1700000000", "1700000000000", "18446744073709551616"),
)
WHOLE = st.integers(0, 5000).map(str)
CELLS = st.one_of(st.sampled_from(ODD), st.text(max_size=8), st.integers(0, 5000).map(str))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), CELLS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(CELLS, inner, max_size=3)),
    max_leaves=5,
)


def check(path: Path, unit: TraceUnit = TraceUnit.AUTO) -> None:
    """A sound trace, or one sentence."""
    try:
        trace = reading.read(path, unit)
    except TraceError as refused:
        said = str(refused)
    else:
        said = ""
        check_sound(trace)
    assert not said or (said.startswith(f"trace {path}: ") and "\n" not in said)


def check_sound(trace: Trace) -> None:
    """Columns that can be described and played."""
    assert len(trace) > 0
    assert np.isfinite(trace.arrival_s).all()
    assert trace.arrival_s[0] == 0
    assert (np.diff(trace.arrival_s) >= 0).all()
    assert min(trace.prompt_tokens.min(), trace.output_tokens.min()) >= 1
    what = described(trace)
    json.dumps(asdict(what), allow_nan=False)
    assert as_text(trace.name, what, trace.arrival_s)
    made = replay(trace, rate_per_s=0, warm_up_s=1, measure_s=5, seed=0, mix=Mix())
    assert made.hash


@BOUNDED
@given(content=st.binary(max_size=200), packed=st.booleans())
def test_any_bytes(tmp_path: Path, content: bytes, packed: bool) -> None:
    """Also in a good gzip."""
    path = tmp_path / "trace.csv"
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    check(path)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A CSV that begins as one of a known format, mostly."""
    fmt = draw(st.sampled_from(FORMATS))
    wanted = [
        fmt.stamp[0],
        fmt.prompt[0],
        fmt.output[0],
        *fmt.session[:1],
        *([fmt.delay] if fmt.delay else []),
    ]
    names = draw(st.permutations([*wanted, *draw(st.lists(st.sampled_from(NAMES), max_size=2))]))
    joint = draw(st.sampled_from([",", ",", ";", "\t"]))
    cells = st.one_of(*[WHOLE] * 9, CELLS)
    rows = draw(st.lists(st.lists(cells, min_size=len(names), max_size=len(names)), min_size=1, max_size=6))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return end.join(joint.join(row) for row in [names, *rows])


@BOUNDED
@given(content=tables(), unit=st.sampled_from(TraceUnit))
def test_any_table(tmp_path: Path, content: str, unit: TraceUnit) -> None:
    """Odd cells under the right names."""
    path = tmp_path / "trace.csv"
    path.write_bytes(content.encode(errors="surrogatepass"))
    check(path, unit)


@st.composite
def json_rows(draw: st.DrawFn) -> list[dict[str, object]]:
    """Rows of a known format with odd values, mostly."""
    fmt = draw(st.sampled_from(FORMATS))
    sound = st.integers(0, 10_000)
    row = st.fixed_dictionaries(
        {name: st.one_of(*[sound] * 7, VALUES) for name in (fmt.stamp[0], fmt.prompt[0], fmt.output[0])},
        optional={name: VALUES for name in (*fmt.session, fmt.parent, fmt.delay, fmt.group, "error") if name},
    )
    return draw(st.lists(row, min_size=1, max_size=6))


@BOUNDED
@given(rows=json_rows(), lines=st.booleans(), unit=st.sampled_from(TraceUnit))
def test_any_json(tmp_path: Path, rows: list[dict[str, object]], lines: bool, unit: TraceUnit) -> None:
    """Odd values under the right keys, as lines and as an array; with NaN, which is no JSON."""
    path = tmp_path / "trace.jsonl"
    text = "\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)
    path.write_text(text)
    check(path, unit)


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_any_stored_file_cut_and_changed(tmp_path: Path, name: str) -> None:
    """Every stored file, cut at some places, and with one byte changed there."""
    content = (FOLDER / name).read_bytes()
    path = tmp_path / name
    for place in range(0, len(content), max(1, len(content) // 25)):
        for changed in (content[:place], content[:place] + b'"' + content[place + 1 :]):
            path.write_bytes(changed)
            check(path)
