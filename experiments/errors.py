"""The two errors that end a command with one sentence instead of a traceback."""

from __future__ import annotations


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
