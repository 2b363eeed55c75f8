"""The formats that are read, one a row: how a file is recognised by its columns, and what they mean.

Facts about other tools' files are from the Azure public dataset's pages, BurstGPT's schema, Mooncake's and
Bailian's trace pages, and the input formats of AIPerf 0.13, GuideLLM 0.8 and vLLM bench 0.32.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from loadtests.planning.trace_files import log_columns
from loadtests.planning.trace_files.trace import TraceError
from loadtests.planning.trace_files.units import TraceUnit

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format. Columns are in lower case; where several are named, the first that a row has counts.

    marks: a file of this format has a column of each group. unit: of stamps that are numbers, None where the
    format defines none; with `whole_stamps` only where all are whole. only_dates: numbers are stamps only
    where they count from 1970. zero_is_failed: an answer of 0 tokens is a request that failed, and left out;
    else it is played as one token. is_log: a row that says it failed need not have tokens. new_words_only:
    in a session, prompt lengths leave the history out. cls: columns of a request's class, `default_cls`
    where a row has none.
    """

    name: str
    title: str
    marks: tuple[Names, ...]
    stamp: Names = ("timestamp",)
    prompt: Names = ("input_length",)
    output: Names = ("output_length",)
    unit: TraceUnit | None = None
    unit_why: str = ""
    whole_stamps: bool = False
    zero_is_failed: bool = False
    is_log: bool = False
    only_dates: bool = False
    session: Names = ()
    parent: str = ""
    delay: str = ""
    new_words_only: bool = False
    group: str = ""
    cls: Names = ()
    default_cls: str = "trace"


_AIPERF = Format(
    name="aiperf",
    title="AIPerf (session_id, timestamp or delay, input_length, output_length)",
    marks=(("delay",), ("input_length",)),
    unit=TraceUnit.MILLISECONDS,
    unit_why="delay is there, as in AIPerf's inputs, whose times are milliseconds",
    session=("session_id",),
    delay="delay",
    new_words_only=True,
    group="hash_ids",
    default_cls="aiperf",
)

FORMATS = (
    Format(
        name="headroom",
        title="Headroom's own (arrival_s, prompt_tokens, output_tokens)",
        marks=(("arrival_s",),),
        stamp=("arrival_s",),
        prompt=("prompt_tokens",),
        output=("output_tokens",),
        unit=TraceUnit.SECONDS,
        zero_is_failed=True,
        session=("session",),
        group="prefix_group",
        cls=("class",),
    ),
    Format(
        name="azure",
        title="Azure LLM inference 2023 and 2024 (TIMESTAMP, ContextTokens, GeneratedTokens)",
        marks=(("contexttokens", "generatedtokens"),),
        prompt=("contexttokens",),
        output=("generatedtokens",),
        zero_is_failed=True,
        only_dates=True,
        default_cls="azure",
    ),
    Format(
        name="burstgpt",
        title="BurstGPT (Timestamp, Request tokens, Response tokens)",
        marks=(("request tokens", "response tokens"),),
        prompt=("request tokens",),
        output=("response tokens",),
        unit=TraceUnit.SECONDS,
        zero_is_failed=True,
        session=("session id",),
        cls=("model",),
        default_cls="burstgpt",
    ),
    Format(
        name="bailian",
        title="Bailian/Qwen (chat_id, parent_chat_id, timestamp, input_length, output_length)",
        marks=(("chat_id", "parent_chat_id"), ("input_length", "output_length")),
        unit=TraceUnit.SECONDS,
        unit_why="chat_id is there, as in Bailian's traces, whose times are seconds",
        session=("chat_id",),
        parent="parent_chat_id",
        group="hash_ids",
        cls=("type",),
        default_cls="bailian",
    ),
    _AIPERF,
    replace(
        _AIPERF,
        marks=(("session_id",), ("input_length",)),
        unit_why="session_id is there, as in AIPerf's inputs, whose times are milliseconds",
        whole_stamps=True,
    ),
    Format(
        name="mooncake",
        title="Mooncake (timestamp, input_length, output_length, hash_ids)",
        marks=(("hash_ids",), ("input_length", "output_length")),
        unit=TraceUnit.MILLISECONDS,
        unit_why="hash_ids are there, as in Mooncake's traces, whose times are milliseconds",
        whole_stamps=True,
        group="hash_ids",
        default_cls="mooncake",
    ),
    Format(
        name="guidellm",
        title="GuideLLM and vLLM bench (timestamp, input_length, output_length)",
        marks=(("input_length", "output_length"),),
    ),
    Format(
        name="request log",
        title="request logs of OpenAI-style servers (timestamp or created, usage.prompt_tokens, "
        "usage.completion_tokens)",
        marks=(log_columns.STAMPS, log_columns.PROMPTS),
        stamp=log_columns.STAMPS,
        prompt=log_columns.PROMPTS,
        output=log_columns.OUTPUTS,
        zero_is_failed=True,
        is_log=True,
        session=("session_id", "conversation_id"),
        cls=log_columns.MODELS,
        default_cls="log",
    ),
)
READ = f"read are: {'; '.join(dict.fromkeys(fmt.title for fmt in FORMATS))}"
_TEXTS = {
    "text_input",
    "text",
    "texts",
    "messages",
    "payload",
    "prompt",
    "turns",
    "conversations",
    "conversation",
}


def recognise(names: Collection[str]) -> Format:
    """The format that has these columns.

    Raises:
        TraceError: none has, or its file lacks a column; names the formats that are read.
    """
    if not names:
        raise TraceError(f"is empty; {READ}")
    recognised = next((fmt for fmt in FORMATS if all(set(group) & set(names) for group in fmt.marks)), None)
    if recognised is None:
        lacking = _lacking(names)
        raise TraceError(f"unknown columns {_listed(names)}{f' ({lacking})' if lacking else ''}; {READ}")
    for columns in (recognised.stamp, recognised.prompt, recognised.output):
        if not set(columns) & set(names):
            wanted = _listed(columns[:2], " or ")
            lacking = _lacking(names)
            raise TraceError(f"has no column {wanted}{f' ({lacking})' if lacking else ''}; {READ}")
    return recognised


def _lacking(names: Collection[str]) -> str:
    """What keeps a file of these columns from being a trace, "" where no more is known."""
    if "due_s" in names:
        return "records of a load run: python -m experiments.export_trace makes a trace of them"
    if "turns" not in names and not set(log_columns.STAMPS) & set(names):
        return "no arrival times"
    if _TEXTS & set(names):
        return "texts, whose lengths in tokens are not told"
    return ""


def _listed(names: Collection[str], joint: str = ", ") -> str:
    cut = [ascii(name[:30])[1:-1] for name in list(names)[:12]]
    return joint.join([*cut, *(["…"] if len(names) > 12 else [])])
