"""Fetches what the stack needs from outside: Prometheus, Alertmanager, an engine by its name, or (`engine`)
the one that a sweep would choose on this machine."""

from __future__ import annotations

import argparse
import os
import sys

from experiments.errors import EnvironmentProblem, UserError
from experiments.stack import engine, fetched
from experiments.stack.providers import known

_SERVERS = {"prometheus": fetched.PROMETHEUS, "alertmanager": fetched.ALERTMANAGER}
_INSTALLS = {provider.name: provider.install for provider in known.PROVIDERS if provider.install is not None}


def main(argv: list[str] | None = None) -> int:
    """Fetch one thing and print where it is; 1 with one sentence when it cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m experiments.stack.provide", description=__doc__)
    parser.add_argument("what", choices=(*_SERVERS, "engine", *_INSTALLS))
    what = parser.parse_args(argv).what
    try:
        print(_provide(what))
    except (EnvironmentProblem, UserError) as problem:
        print(f"provide {what}: {problem}", file=sys.stderr)
        return problem.exit_code
    return 0


def _provide(what: str) -> str:
    if what in _SERVERS:
        return str(fetched.provide(_SERVERS[what], on_progress=_say))
    if what == "engine":  # the one that a sweep would choose
        name, url = os.environ.get("ENGINE") or known.AUTO, os.environ.get("ENGINE_URL") or None
        choice = engine.choose(name, engine_url=url, model=os.environ.get("MODEL") or None, on_progress=_say)
        return f"{choice.provider.name}{': ' + choice.why if choice.why else ''}"
    return str(_INSTALLS[what](_say))


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
