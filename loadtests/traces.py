"""Describes a trace file, or a recording of the gateway, before anyone plays it: what it asks for, when, and
what reading it changes."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from loadtests.one_sentence import SentenceParser
from loadtests.planning.mix import Floats
from loadtests.planning.trace_files import reading
from loadtests.planning.trace_files.trace import Trace, TraceError
from loadtests.planning.trace_files.units import TraceUnit
from loadtests.recording.length_summary import LengthSummary, as_rows
from loadtests.traffic.segments import TrafficError

_ABOUT = """What a trace file asks for, when, and what reading it changes. The same file is played with
--scenario trace --trace FILE. Of a folder that the gateway recorded (RECORD_DIR): what came and how it
ended, by the hour, and what --load recorded@1.0x --recorded DIR will lack. What cannot be read gets one
sentence and exit code 2."""
_EXAMPLES = """examples:
  %(prog)s trace.csv.gz
  %(prog)s trace.jsonl --json
  %(prog)s trace.jsonl --trace-unit ms
  %(prog)s /var/lib/headroom/recording
  %(prog)s /var/lib/headroom/recording --from 14:00 --to 15:00
"""
_COLUMNS, _ROWS = 64, 5
_EIGHTHS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Description:
    """What `--json` prints.

    rate_per_s: mean over the span, requests per second. gap_cv: standard deviation of the gaps between
    arrivals over their mean (1 for a Poisson process). None where the trace is too short to tell.
    """

    format: str
    requests: int
    span_s: float
    rate_per_s: float | None
    prompt_tokens: LengthSummary
    output_tokens: LengthSummary
    gap_cv: float | None
    notes: tuple[str, ...]


def described(trace: Trace) -> Description:
    """The facts of a trace with at least one request."""
    gaps_s = np.diff(trace.arrival_s)
    spans = trace.rate_per_s > 0
    return Description(
        trace.format,
        len(trace),
        round(trace.span_s, 6),
        float(f"{trace.rate_per_s:.9g}") if spans else None,
        LengthSummary.of(trace.prompt_tokens),
        LengthSummary.of(trace.output_tokens),
        round(float(gaps_s.std() / gaps_s.mean()), 4) if spans and len(gaps_s) > 1 else None,
        trace.notes,
    )


def as_text(name: str, what: Description, arrival_s: Floats, blocks: str = _EIGHTHS) -> str:
    """The description for people, with the rate over time drawn in the characters of `blocks`, from empty to
    full."""
    count = f"{what.requests:,} request{'s' * (what.requests != 1)}"
    rate = "no span to take a rate over" if what.rate_per_s is None else f"{what.rate_per_s:.4g} requests/s"
    cv = "unknown" if what.gap_cv is None else f"{what.gap_cv:.3g}"
    lines = [
        f"{name}: {what.format}, {count} in {what.span_s:,.6g} s, {rate}",
        f"gaps between arrivals: coefficient of variation {cv}",
        *as_rows({"prompt": what.prompt_tokens, "output": what.output_tokens}),
    ]
    if what.rate_per_s is not None:
        lines += plot(arrival_s, what.span_s, blocks)
    return "\n".join([*lines, *(f"note: {note}" for note in what.notes)])


def plot(arrival_s: Floats, span_s: float, blocks: str = _EIGHTHS) -> list[str]:
    """Lines of a plot of the arrival rate over the span (s, > 0)."""
    columns = min(_COLUMNS, len(arrival_s))
    counts, _ = np.histogram(arrival_s, bins=columns, range=(0.0, span_s))
    rate_per_s = counts / (span_s / columns)
    steps = len(blocks) - 1
    heights = np.ceil(rate_per_s / rate_per_s.max() * _ROWS * steps).astype(int)
    lines = [f"requests/s, up to {rate_per_s.max():.4g}; a column is {span_s / columns:.4g} s"]
    for row in reversed(range(_ROWS)):
        bars = "".join(blocks[level] for level in np.clip(heights - row * steps, 0, steps))
        lines.append(f"|{bars}".rstrip())
    return [*lines, f"+{'-' * columns} {span_s:.6g} s"]


def main(argv: Sequence[str], prog: str = "python -m loadtests.traces") -> int:
    """Print the description; the exit code."""
    args = _arguments(argv, prog)
    times = getattr(args, "from"), args.to
    if args.file.is_dir():
        return _recording(args.file, *times, args.json)
    if any(times):
        print("headroom: --from and --to go with a recording's folder", file=sys.stderr)
        return 2
    try:
        trace = reading.read(args.file, TraceUnit(args.trace_unit), args.seed)
    except TraceError as error:
        print(f"headroom: {error}", file=sys.stderr)
        return 2
    what = described(trace)
    if args.json:
        print(json.dumps(asdict(what), indent=2), flush=True)
    else:
        blocks = _blocks(getattr(sys.stdout, "encoding", None))
        print(as_text(trace.name, what, trace.arrival_s, blocks), flush=True)
    return 0


def _recording(folder: Path, begin: str, end: str, as_json: bool) -> int:
    # pyarrow takes a third of a second, and a trace file does without.
    from loadtests.traffic import described as traffic_described
    from loadtests.traffic import table
    from loadtests.traffic.when import Times

    try:
        span = Times(begin, end).span(*table.ends(folder))
        traffic = table.traffic(folder, span)
    except TrafficError as error:
        print(f"headroom: trace {error}", file=sys.stderr)
        return 2
    what = traffic_described.describe(traffic)
    if as_json:
        print(json.dumps(asdict(what), indent=2), flush=True)
        return 0
    lines = traffic_described.as_lines(folder.name, what)
    if what.rate_per_s is not None:
        lines += plot(traffic.arrival_s, what.span_s, _blocks(getattr(sys.stdout, "encoding", None)))
    print("\n".join([*lines, *(f"note: {note}" for note in traffic_described.notes(what))]), flush=True)
    return 0


def _blocks(encoding: str | None) -> str:
    """The blocks, or signs that every terminal has."""
    try:
        _EIGHTHS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return " #"
    return _EIGHTHS


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = SentenceParser(
        prog=prog,
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="CSV or JSON lines, plain or .gz; or a recording's folder"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument(
        "--trace-unit",
        choices=[unit.value for unit in TraceUnit],
        default=TraceUnit.AUTO.value,
        help="unit of stamps that are numbers (default: %(default)s, the file tells)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the places inside rounded stamps (default: %(default)s)"
    )
    for flag, edge in (("--from", "begin"), ("--to", "end")):
        parser.add_argument(
            flag,
            default="",
            metavar="TIME",
            help=f"{edge} of a recording's part: 2026-11-30T14:05 (UTC), 14:05, or 10m after its begin",
        )
    return parser.parse_args(argv)


def _run() -> int:
    """`main`, and what may go wrong with the output."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        return main(sys.argv[1:])
    except BrokenPipeError:
        sys.stdout = None  # nobody reads: the interpreter must not flush it once more
        return 1
    except OSError as error:
        print(f"headroom: cannot write: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(_run())
