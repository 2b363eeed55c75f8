"""Files of other tools are read as those tools mean them, and what is no trace gets one sentence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from loadtests.planning.trace_files.formats import FORMATS
from loadtests.planning.trace_files.trace import TraceError
from tests.loadtests.planning.trace_data import stored, written


@dataclass(frozen=True)
class Right:
    """What a file holds; `note` is part of one of the notes."""

    format: str
    arrival_s: tuple[float, ...]
    prompt: tuple[int, ...]
    output: tuple[int, ...]
    session: tuple[int, ...] = ()
    group: tuple[int, ...] = ()
    note: str = ""


READ = {
    "azure_2024.csv": Right("azure", (0.0, 2.25), (900, 31), (15, 220)),
    "azure_2023.csv.gz": Right("azure", (0.0, 0.25), (512, 640), (33, 1)),
    "azure_bom_crlf.csv": Right("azure", (0.0, 0.25), (512, 640), (33, 1), note="no time zone"),
    "azure_pandas_floats.csv": Right("azure", (0.0, 0.25), (512, 640), (33, 1)),
    "azure_zones_change.csv": Right(
        "azure", (0.0, 1.5, 4.5), (100, 200, 300), (10, 20, 30), note="3 time zones"
    ),
    "azure_spreadsheet.csv": Right("azure", (0.0, 5.0), (512, 640), (33, 1)),
    "burstgpt_failures.csv": Right("burstgpt", (0.0, 4.0), (80, 190), (20, 7), (0, 0), note="2 requests"),
    "bailian.jsonl": Right(
        "bailian", (0.0, 0.75, 16.5, 44.25), (300, 90, 420, 500), (40, 11, 35, 20), (0, 1, 0, 0),
        (0, 1, 0, 0), "taken as seconds: chat_id is there",
    ),
    "bailian_whole_seconds.jsonl": Right("bailian", (0.0, 40.0, 95.0, 300.0), (64,) * 4, (8,) * 4),
    "mooncake_fractions.jsonl": Right(
        "mooncake", (0.0, 1.5, 2.25, 40.125), (64,) * 4, (8,) * 4, note="seconds: they are written"
    ),
    "aiperf_delays.jsonl": Right(
        "aiperf", (0.0, 0.05, 1.5, 1.7005), (40, 70, 25, 30), (6, 9, 5, 4), (0, 1, 0, 0),
        note="2 of 4 requests come a delay after the answer",
    ),
    "guidellm.jsonl": Right("guidellm", (0.0, 0.5, 3.25), (256, 512, 128), (128, 64, 32), note="seconds"),
    "guidellm.csv": Right("guidellm", (0.0, 0.5, 3.25), (256, 512, 128), (128, 64, 32), note="seconds"),
    "log_requests.jsonl": Right(
        "request log", (0.0, 4.0), (210, 99), (18, 4), note="1 requests that failed left out"
    ),
    "log_columns.csv": Right("request log", (0.0, 0.8), (12, 16), (40, 41), note="arrivals are starttime"),
    "log_array.json": Right("request log", (0.0, 2.0), (5, 7), (6, 8), note="they count from 1970"),
    "headroom_one_row.csv": Right("headroom", (0.0,), (33,), (9,)),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_a_file_means(name: str) -> None:
    """Arrivals, lengths, sessions, prefixes, and a word on what was decided."""
    trace, right = stored(name), READ[name]
    assert trace.format == right.format
    assert trace.arrival_s.tolist() == pytest.approx(right.arrival_s, abs=1e-6)
    assert tuple(trace.prompt_tokens.tolist()) == right.prompt
    assert tuple(trace.output_tokens.tolist()) == right.output
    if right.session:
        assert tuple(trace.session.tolist()) == right.session
    if right.group:
        assert tuple(trace.prefix_group.tolist()) == right.group
    assert right.note in " / ".join(trace.notes)


REFUSED = {
    "burstgpt_empty_cell.csv": "line 4, column Response tokens = '': must be a whole number of tokens",
    "headroom_inf.csv": "line 4, column arrival_s = 'inf': must be a finite number >= 0",
    "azure_day_first.csv": "line 2, column TIMESTAMP = '16/11/2023 09:05': must be a finite number >= 0",
    "mooncake_torn.jsonl": "line 7: is not JSON",
    "lengths_unit_unknown.jsonl": "say --trace-unit s or ms",
}
NO_TRACE = {
    "aiperf_texts.jsonl": "no column input_length (texts, whose lengths",
    "aiperf_turns.jsonl": "texts, whose lengths in tokens are not told",
    "mooncake_without_output.jsonl": "no column output_length",
    "sharegpt.json": "unknown columns id, conversations (no arrival times)",
    "empty.csv": "is empty",
}


@pytest.mark.parametrize("name", [*REFUSED, *NO_TRACE])
def test_what_is_refused(name: str) -> None:
    """One sentence: the file, the place, what is wrong; every format that is read where it is of none."""
    with pytest.raises(TraceError) as refused:
        stored(name)
    said = str(refused.value)
    assert said.startswith("trace /")
    assert name in said
    assert (REFUSED | NO_TRACE)[name] in said
    assert "\n" not in said
    if name in NO_TRACE:
        assert [fmt.title for fmt in FORMATS if fmt.title not in said] == []


HEADROOM = "arrival_s,prompt_tokens,output_tokens\n"
RECORD = '{"i": 0, "due_s": 0.5, "prompt_tokens": 3, "output_tokens": 2}'
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n", "unknown columns a, b"),
        (HEADROOM + "1,x,3\n", "line 2, column prompt_tokens = 'x': must be a whole number"),
        (HEADROOM, "has no requests"),
        (HEADROOM + "1,2,0\n", "has no requests (1 requests without an answer"),
        (HEADROOM + "1,2,3\n\n-1,2,3\n", "line 4, column arrival_s = '-1': must be a finite number >= 0"),
        (HEADROOM + "1,374.5,3\n", "column prompt_tokens = '374.5': must be a whole number"),
        (HEADROOM + "1,1e30,3\n", "must be a whole number of tokens from 0 to 100,000,000"),
        (HEADROOM + "1,-2,3\n", "column prompt_tokens = '-2'"),
        (HEADROOM + "1_000,2,3\n", "column arrival_s = '1_000'"),
        (HEADROOM + "1e999,2,3\n", "column arrival_s = '1e999'"),
        (HEADROOM + "1,2\n", "line 2: has 2 cells where the header has 3"),
        (HEADROOM + "0,5,10,5\n", "line 2: has 4 cells where the header has 3"),
        (HEADROOM + '1,2,"3\n4,5,6\n', "line 2"),
        ("arrival_s,prompt_tokens\n1,2\n", "has no column output_tokens"),
        (AZURE + "2023-11-16,1,2\n", "line 2, column TIMESTAMP = '2023-11-16'"),
        (AZURE + "2023-13-16 10:00:00,1,2\n", "line 2, column TIMESTAMP"),
        (AZURE + "2023-11-16 10:00:00,1,2\n7,1,2\n", "line 3, column TIMESTAMP = '7': must be a date, as in"),
        (AZURE + "7,1,2\n2023-11-16 10:00:00,1,2\n", "must be a number, as in the rows before"),
        (AZURE + "2023-11-16 10:00:00Z,1,2\n2023-11-16 10:00:00,1,2\n", "line 3, column TIMESTAMP"),
        (AZURE + ",1,2\n", "line 2, column TIMESTAMP = '': must be a finite number >= 0, or a date such as"),
        (AZURE + "nan,1,2\n", "line 2, column TIMESTAMP = 'nan': must be a finite number >= 0"),
        (AZURE + "Nov 16 2023 18:15:46,1,2\n", "or a date such as 2023-11-16 18:15:46"),
        (AZURE + "15:46.7,1,2\n", "or a date such as 2023-11-16 18:15:46"),
        (RECORD, "python -m experiments.export_trace"),
        (AZURE + "45246.76,1,2\n45246.78,1,2\n", "line 2, column timestamp = 45246.8: must be a date"),
        ('{"arrival_s": true, "prompt_tokens": 1, "output_tokens": 1}', "line 1, column arrival_s = True"),
        ('{"arrival_s": 1, "prompt_tokens": [1], "output_tokens": 1}', "line 1, column prompt_tokens = [1]"),
        ('{"arrival_s": 1, "prompt_tokens": null, "output_tokens": 1}', "line 1: has no prompt_tokens"),
        ('{"arrival_s": 1}\n[1]\n', "line 2: is not a JSON object"),
        ("[1, 2]", "row 1: is not a JSON object"),
        ('[{"arrival_s": 1, "prompt_tokens": 1, "output_tokens": 1}, {"arrival_s": "x"}]', "row 2"),
        ("[1, 2", "is not JSON"),
        ('{\n  "data": []\n}\n', "is one JSON object over several lines"),
        ('{"session_id": "a", "delay": 5, "input_length": 1, "output_length": 1}', "has no column timestamp"),
        ('{"delay": 5, "input_length": 1, "output_length": 1}\n'
         '{"timestamp": 5, "input_length": 1, "output_length": 1}', "line 1: has no timestamp, and no turn"),
        ('{"created": 1760000000, "usage": null, "prompt_tokens": 3}\n{"completion_tokens": 1}',
         "line 1: has no usage.completion_tokens"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named(tmp_path: Path, content: str, said: str) -> None:
    """Place, column, value, and what is allowed."""
    with pytest.raises(TraceError) as refused:
        written(tmp_path, content)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        "output_tokens\tarrival_s\tprompt_tokens\textra\n3\t1\t2\tx\n6\t4\t5\ty\n",
        "arrival_s,prompt_tokens,output_tokens\r1,2.0,3\r4.0,5,6e0\r",
        "\n\nArrival_S , Prompt_Tokens,OUTPUT_TOKENS\n1,2,3,\n\n 4 , 5 , 6 ,,\n",
        '{"arrival_s": 1, "prompt_tokens": 2, "output_tokens": "3"}\n\n'
        '{"arrival_s": 4, "prompt_tokens": 5.0, "output_tokens": 6}',
        '[{"arrival_s": 1, "prompt_tokens": 2, "output_tokens": 3},\n'
        '{"arrival_s": 4, "prompt_tokens": 5, "output_tokens": 6}]',
    ],
)
def test_the_container_does_not_matter(tmp_path: Path, content: str) -> None:
    """Tabs, lone carriage returns, blank lines, JSON lines or an array: the columns tell the format."""
    trace = written(tmp_path, content)
    assert trace.arrival_s.tolist() == [0.0, 3.0]
    assert trace.prompt_tokens.tolist() == [2, 5]
    assert trace.output_tokens.tolist() == [3, 6]


def test_our_format(tmp_path: Path) -> None:
    """Sorted by time, from 0; sessions, groups and classes kept."""
    content = (
        "arrival_s,prompt_tokens,output_tokens,session,prefix_group,class\n"
        "10.5,100,20,a,g,chat\n10.0,50,10,a,,chat\n11.0,70,5,b,g,code\n"
    )
    trace = written(tmp_path, content)
    assert trace.arrival_s.tolist() == [0.0, 0.5, 1.0]
    assert trace.prompt_tokens.tolist() == [50, 100, 70]
    assert trace.session.tolist() == [0, 0, 1]
    assert trace.prefix_group.tolist() == [-1, 0, 0]
    assert trace.cls == ("chat", "chat", "code")
    assert trace.notes == ("rows were not in order of time: sorted",)


def test_burstgpt_leaves_failures_out(tmp_path: Path) -> None:
    """0 response tokens is a failure in BurstGPT: left out, and said; stamps that nobody shares stay."""
    content = (
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
        "5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,0,1087,Conversation log\n"
        "118,GPT-4,417,276,693,API log\n"
    )
    trace = written(tmp_path, content)
    assert trace.arrival_s.tolist() == [0.0, 113.0]
    assert trace.cls == ("ChatGPT", "GPT-4")
    assert trace.notes == ("1 requests without an answer (0 tokens) left out",)


def test_a_side_of_no_tokens_is_played_as_one(tmp_path: Path) -> None:
    """Where 0 does not mean failure, the request stays, and it is said."""
    rows = '{"timestamp": 0, "input_length": 0, "output_length": 0, "hash_ids": []}\n'
    trace = written(tmp_path, rows, "trace.jsonl")
    assert (trace.prompt_tokens.tolist(), trace.output_tokens.tolist()) == ([1], [1])
    assert {"1 prompts of 0 tokens played as 1", "1 answers of 0 tokens played as 1"} <= set(trace.notes)


def test_answers_that_were_logged_are_spread_inside_their_second() -> None:
    """An answer's own `created` is whole seconds."""
    trace = stored("log_answers.jsonl")
    assert len(set(trace.arrival_s.tolist())) == len(trace) == 9
    assert sorted(trace.prompt_tokens.tolist()) == list(range(50, 59))
    assert {"arrivals are created", "stamps taken as seconds: they count from 1970"} <= set(trace.notes)
    assert trace.cls == ("m-7b",) * 9


CAPTURE = {
    "captureData": {"endpointOutput": {"data": '{"usage": {"prompt_tokens": 12, "completion_tokens": 8}}'}},
    "eventMetadata": {"inferenceTime": "2026-04-29T00:03:18Z"},
}
AIPERF_RECORD = {
    "metadata": {"request_start_ns": 1756000000123456789},
    "metrics": {"input_sequence_length": {"value": 550}, "output_sequence_length": {"value": 12}},
    "error": None,
}
BATCH = {
    "custom_id": "a",
    "response": {"body": {"created": 1760000000, "usage": {"prompt_tokens": 9, "completion_tokens": 2}}},
}
RESPONSES = {"created_at": 1760000000, "model": "m", "usage": {"input_tokens": 4, "output_tokens": 3}}


@pytest.mark.parametrize(
    ("row", "lengths"), [(CAPTURE, (12, 8)), (AIPERF_RECORD, (550, 12)), (BATCH, (9, 2)), (RESPONSES, (4, 3))]
)
def test_logs_of_several_tools(tmp_path: Path, row: dict[str, object], lengths: tuple[int, int]) -> None:
    """A SageMaker capture, a record of AIPerf, a line of a batch's output, an answer of the responses API."""
    trace = written(tmp_path, json.dumps(row))
    assert (trace.prompt_tokens[0], trace.output_tokens[0]) == lengths
