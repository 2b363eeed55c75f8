"""`headroom batch run FILE`: a file of requests through the gateway, with what the others leave."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from loadtests.batch.stopping import BatchMistake, BatchStopped
from loadtests.one_sentence import SentenceParser
from loadtests.reach import handed_down, own_arguments

MOST_IN_FLIGHT = 100
SOME_FAILED = 15
_ABOUT = """Sends each request of a file in the form of OpenAI's batch files (JSON lines of custom_id, method,
url and body) and writes a result line for each, in the form of their output files. It takes what the others
leave: as many at once as the gateway takes, and as the objective of more urgent classes has room for; none
while others of its own class wait. Stopped in any way, kill -9 too, the same command goes on: what has a
result is not sent again."""
_EXAMPLES = """examples:
  %(prog)s run in.jsonl                                    results in in.results.jsonl
  %(prog)s run in.jsonl --host https://llm.example.org --out out.jsonl --slo 'ttft<=2s'
  %(prog)s run in.jsonl --tenant alice --class batch       from a client that the gateway trusts

Exit codes: 0 every request has its completion, 2 a mistake (nothing was sent), 15 every request has a result
and some of them an error, 1 it could not go on (the same command does), 130 Ctrl-C.
"""


def main(argv: Sequence[str], prog: str = "python -m loadtests.batch") -> int:
    """Run the batch; the exit code."""
    args = _arguments(argv, prog)
    own_arguments.hide([args.api_key or ""])
    # httpx takes a tenth of a second, and help does without.
    from loadtests.batch import job

    key = args.api_key or os.environ.get(handed_down.API_KEY_VARIABLE, "")
    fields = {"x-headroom-tenant": args.tenant, "x-headroom-class": args.priority_class}
    wanted = job.Wanted(
        args.file,
        args.out,
        args.host,
        key,
        {name: value for name, value in fields.items() if value},
        args.max_in_flight,
        args.slo,
        args.timeout_s,
    )
    try:
        failed = job.run(wanted, _tell)
    except BatchMistake as error:
        return _end(str(error), 2)
    except BatchStopped as error:
        return _end(str(error), 1)
    except KeyboardInterrupt:
        return _end("stopped; what is done is kept, the same command goes on", 130)
    return SOME_FAILED if failed else 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _end(sentence: str, code: int) -> int:
    _tell(f"headroom: {sentence}")
    return code


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = SentenceParser(
        prog=prog,
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=["run"], help="what to do with the file")
    parser.add_argument("file", type=Path, metavar="FILE", help="the requests, one JSON object a line")
    parser.add_argument(
        "--host", default="http://127.0.0.1:8080", metavar="URL", help="the gateway (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the results (default: FILE with .results.jsonl at its end)"
    )
    parser.add_argument(
        "--api-key", metavar="KEY", help=f"sent as a bearer token (default: ${handed_down.API_KEY_VARIABLE})"
    )
    parser.add_argument("--tenant", default="", help="for whom it is, said by a client that is trusted")
    parser.add_argument(
        "--class",
        default="",
        dest="priority_class",
        metavar="CLASS",
        help="its priority class, said likewise",
    )
    parser.add_argument(
        "--max-in-flight", type=_in_flight, default=16, metavar="N",
        help=f"requests at once, 1 to {MOST_IN_FLIGHT} (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--slo",
        default="ttft<=1s",
        help="the others' objective, of which TTFT and attainment are used (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout-s", type=_seconds, default=600.0, metavar="S",
        help="without a byte of an answer that is an error (default: %(default)g)",
    )  # fmt: skip
    return parser.parse_args(argv)


def _in_flight(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_IN_FLIGHT:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: 1 to {MOST_IN_FLIGHT}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: above 0, up to 86400")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
