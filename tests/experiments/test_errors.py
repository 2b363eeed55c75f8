"""How commands end."""

import errno
from collections.abc import Sequence

import pytest

from experiments.errors import EnvironmentProblem, UserError, run_command


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (UserError("max_active = 0: must be at least 1"), 2, "max_active = 0"),
        (EnvironmentProblem("no Prometheus on this machine"), 1, "no Prometheus"),
        (OSError(errno.ENOSPC, "No space left on device", "runs/x"), 1, "the disk is full"),
        (KeyboardInterrupt(), 130, "what was measured is kept"),
    ],
)
def test_what_went_wrong_decides_the_exit_code(
    raised: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence on standard error."""

    def fail(argv: Sequence[str]) -> int:
        raise raised

    with pytest.raises(SystemExit) as ended:
        run_command(fail)
    assert ended.value.code == code
    assert said in capsys.readouterr().err


def test_our_own_mistakes_are_not_hidden() -> None:
    """A bug must show its traceback."""

    def fail(argv: Sequence[str]) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command(fail)
