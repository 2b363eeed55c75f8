"""How a command ends: with its result, with one sentence (two kinds of error, and a finding that ends it), or
with a traceback, which is a fault of ours."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence


class UserError(Exception):
    """Something the user asked for is wrong: fail before anything starts.

    The message is one sentence that names the value and says what is allowed.
    """

    exit_code = 2


class EnvironmentProblem(Exception):  # noqa: N818 (`EnvironmentError` is Python's own name for OSError)
    """The machine cannot do it (a port in use, a program missing, an engine that dies, a full disk).

    The message is one sentence that says what is missing and how to get it.
    """

    exit_code = 1


class UndecidedError(Exception):
    """The run was measured, and its cells cannot answer what was asked: too much of it was disturbed.

    The message is one sentence that says what was wrong with them and what to do.
    """

    exit_code = 3


class ObjectiveOutOfReach(Exception):  # noqa: N818 (a result of the tested system, nobody's error)
    """The engine misses the objective even when it has nothing else to do: no setting can change that.

    The message is one sentence that says what it needs and which objective could be met.
    """

    exit_code = 22


def run_command(main: Callable[[Sequence[str]], int]) -> None:
    """Run `main` on the command line's arguments and exit: 2 for the user's mistake, 1 for the environment's,
    3 where nothing could be decided, 22 where the objective is out of the engine's reach, 130 on Ctrl-C."""
    try:
        code = main(sys.argv[1:])
    except UserError as error:
        code = _say(error, UserError.exit_code)
    except EnvironmentProblem as error:
        code = _say(error, EnvironmentProblem.exit_code)
    except UndecidedError as error:
        code = _say(error, UndecidedError.exit_code)
    except ObjectiveOutOfReach as error:
        code = _say(error, ObjectiveOutOfReach.exit_code)
    except BrokenPipeError:
        code = 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = error.filename
        code = _say(f"the disk is full ({where}); what was measured is kept: make room and go on", 1)
    except KeyboardInterrupt:
        code = _say("stopped; what was measured is kept", 130)
    sys.exit(code)


def _say(what: object, code: int) -> int:
    print(f"headroom: {what}", file=sys.stderr)
    return code
