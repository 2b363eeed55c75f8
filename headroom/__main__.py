"""`headroom COMMAND …`: finds the command, imports only that, and runs it on the other arguments."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from experiments.errors import UserError, run_command
from headroom.commands import COMMANDS

_EXAMPLES = """examples:
  headroom sweep --engine emulator           a first report in minutes, without a model
  headroom sweep --slo 'ttft<=1s,tpot<=60ms,attainment>=0.95' --budget 20m
  headroom recommend runs/NAME --apply http://127.0.0.1:8080
  headroom load --host http://127.0.0.1:8080 --headless --scenario burst --rate 4 --duration 60

headroom COMMAND --help shows a command's arguments. What is fetched or made once (.tools, .venv-vllm,
.cache) is kept in the folder $HEADROOM_HOME; without it in the checkout, else in the working folder.
"""


def main() -> None:
    """Exit with the code of the command that the first word names; 0 for help, 2 for a word that is none."""
    run_command(run)


def run(argv: Sequence[str]) -> int:
    """Run the command that the first word names on the others; returns its exit code.

    Raises:
        UserError: the word is none; and what the command raises.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(help_text(), end="")
        return 0
    name, *rest = argv
    command = next((command for command in COMMANDS if command.name == name), None)
    if command is None:
        raise UserError(_unknown(name))
    return command.main()(rest, f"headroom {name}")


def help_text() -> str:
    """Every command with one line, and examples."""
    widest = max(len(command.name) for command in COMMANDS)
    rows = [f"  {command.name:<{widest}}  {command.summary}" for command in COMMANDS]
    return "\n".join(["usage: headroom COMMAND [arguments]", "", "commands:", *rows, "", _EXAMPLES])


def _unknown(name: str) -> str:
    names = [command.name for command in COMMANDS]
    close = difflib.get_close_matches(name, names, n=1)
    meant = f"did you mean {close[0]}?" if close else f"the commands are {', '.join(names)}"
    return f"{name!r} is not a command; {meant}"


if __name__ == "__main__":
    main()
