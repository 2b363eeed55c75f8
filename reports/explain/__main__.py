"""`python -m reports.explain`: why it was slow at a time, from the gateway's recording and Prometheus."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.cli import secrets
from experiments.cli.one_sentence import OneSentenceParser
from experiments.errors import UserError, run_command
from experiments.observe.selector import GivenSelectors, Scope
from loadtests.traffic.segments import Span
from reports.explain import when

_ABOUT = """Why it was slow at a time: which percentile of which lanes moved, in which stage, what changed
beside comparable hours, and the likeliest causes with what speaks for them; "nothing unusual" where that is
so. Reads what the gateway recorded (RECORD_DIR), a Prometheus, or both; says what it could not look at."""
_EXAMPLES = """examples:
  %(prog)s --at 14:05 --recording /var/lib/headroom/recording --prometheus-url http://127.0.0.1:9090
  %(prog)s --at 2026-03-01T14:05Z                      the same with $RECORD_DIR, records alone
  %(prog)s --from 13:50 --to 14:20 -o why.html         a stretch; the page elsewhere
  %(prog)s --at 14:05 --json                           for programs
"""


def main(argv: Sequence[str], prog: str = "python -m reports.explain") -> int:
    """Print what was found and write the page; 0, or 3 where too little is known to compare with.

    Raises:
        UserError: a wrong flag, time or folder. EnvironmentProblem: Prometheus does not answer.
        UndecidedError: too little is known.
    """
    secrets.hide(argv)
    args = _parser(prog).parse_args(argv)
    now_s = time.time()
    asked = _asked(args, now_s)
    url = args.prometheus_url
    prometheus = secrets.endpoint("--prometheus-url", url) if url else None
    given = GivenSelectors.parse(args.prometheus_selector)
    if prometheus is None and args.recording is None:
        raise UserError("nothing to look at: give --recording DIR or --prometheus-url URL")
    if args.prometheus_selector and prometheus is None:
        raise UserError("--prometheus-selector needs --prometheus-url")
    # Only here: a help or a wrong flag should not cost the import of what reads and draws.
    from experiments.observe.prometheus import ServerMetrics
    from reports.explain import answer

    scope = Scope(*(given.of(part) for part in ("gateway", "engine", "gpu")))
    metrics = None if prometheus is None else ServerMetrics(prometheus, scope=scope)
    command = ("headroom", "explain", *secrets.without_secrets(argv))
    found = answer.of(args.recording, metrics, asked, now_s, command)
    if not args.no_page:
        answer.write_page(found, args.output or Path(f"explain-{_stamp(asked)}.html"))
    print(answer.as_json(found) if args.json else answer.as_text(found))
    return 0


def _asked(args: argparse.Namespace, now_s: float) -> Span:
    if args.at is not None:
        if args.begin is not None or args.end is not None:
            raise UserError("--at goes alone, or give --from and --to")
        return when.around(args.at, now_s)
    if args.begin is None or args.end is None:
        raise UserError("which time? Give --at, or --from and --to")
    return when.between(args.begin, args.end, now_s)


def _stamp(asked: Span) -> str:
    return time.strftime("%Y%m%d-%H%M", time.localtime(asked.from_s))


def _parser(prog: str) -> OneSentenceParser:
    parser = OneSentenceParser(
        prog=prog,
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    stretch = parser.add_argument_group("which time")
    stretch.add_argument(
        "--at", metavar="TIME", help="ten minutes before it to five after: an alert's time will do"
    )
    stretch.add_argument("--from", dest="begin", metavar="TIME", help="begin of a stretch")
    stretch.add_argument("--to", dest="end", metavar="TIME", help="its end; times: 14:05, 2026-03-01T14:05Z")
    told = parser.add_argument_group("who tells")
    told.add_argument(
        "--recording",
        metavar="DIR",
        type=Path,
        default=Path(os.environ["RECORD_DIR"]) if os.environ.get("RECORD_DIR") else None,
        help="folder that the gateway recorded into (default: $RECORD_DIR)",
    )
    told.add_argument("--prometheus-url", metavar="URL", help="a Prometheus that scrapes gateway and engine")
    told.add_argument(
        "--prometheus-selector",
        metavar="MATCHERS",
        action="append",
        default=[],
        help="whose series, where it scrapes several: 'namespace=\"a\"', 'engine{job=\"b\"}'; repeatable",
    )
    given = parser.add_argument_group("what is given")
    given.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="the page (default: explain-TIME.html)"
    )
    given.add_argument("--no-page", action="store_true", help="write none")
    given.add_argument("--json", action="store_true", help="print JSON, for programs")
    return parser


if __name__ == "__main__":
    run_command(main)
