"""`headroom load`: Locust with the project's locustfile, from wherever the packages are installed."""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

from experiments.stack import paths

_EXAMPLES = """examples:
  %(prog)s --host http://127.0.0.1:8080                 the web UI, on http://127.0.0.1:8089
  %(prog)s --host http://127.0.0.1:8080 --headless --scenario burst --rate 4 --duration 60
  %(prog)s --host http://127.0.0.1:8080 --headless --json | jq .numbers.attainment

Every flag of Locust itself is taken as well (python -m locust --help).
"""


def main(argv: list[str], prog: str) -> int:
    """Show our flags, which Locust's own help leaves out, or become Locust and not return."""
    if {"-h", "--help"} & set(argv):
        print(_help(prog), end="")
        return 0
    return _become_locust(argv)


def _become_locust(argv: list[str]) -> NoReturn:
    words = [sys.executable, "-m", "locust", "-f", str(paths.locustfile()), *argv]
    # Locust's own default is every address of the machine.
    environment = {"LOCUST_WEB_HOST": "127.0.0.1", **os.environ, **paths.import_path()}
    os.execve(sys.executable, words, environment)


def _help(prog: str) -> str:
    # numpy comes with them, and Locust itself, which needs seconds, does not need them from us.
    from loadtests.running import options

    parser = argparse.ArgumentParser(
        prog=prog,
        usage="%(prog)s [flags]",
        description="Locust with the project's scenarios, exact records and live page.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    options.add(parser)
    return parser.format_help()
