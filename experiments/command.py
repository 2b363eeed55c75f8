"""How every command ends: a result, one sentence, or a traceback that is ours to mend."""

import errno
import sys
from collections.abc import Callable, Sequence

from experiments.errors import EnvironmentProblem, UserError


def run_command(main: Callable[[Sequence[str]], int]) -> None:
    """Run `main` on the command line's arguments and exit: 2 for the user's mistake, 1 for the environment's,
    130 on Ctrl-C."""
    try:
        code = main(sys.argv[1:])
    except UserError as error:
        code = _say(error, 2)
    except EnvironmentProblem as error:
        code = _say(error, 1)
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
