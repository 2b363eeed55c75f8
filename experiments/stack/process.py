"""Starts one process of the stack, waits until it is ready, and always ends it.

Every process runs behind `tether.py`: whatever happens to us, also `kill -9`, nothing of it stays behind.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from experiments.errors import EnvironmentProblem

TETHER = Path(__file__).with_name("tether.py")
LOG_LINES_SHOWN = 15
PROGRESS_EVERY_S = 5.0

Progress = Callable[[str], None]


class StartFailed(EnvironmentProblem):
    """A process of the stack did not start; the message ends with the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, and how it is ended.

    Attributes:
        argv: its first word is looked up on the PATH.
        name: what messages call it.
        log_path: its standard output and error are appended here; the folder is made.
        env: the whole environment of the process; None passes ours on.
        cwd: where it runs; None: here.
        cpus: the CPU numbers it may use; None: all.
        stop_signal: it is asked to end with this signal.
        grace_s: seconds from the stop signal to SIGKILL.
    """

    argv: Sequence[str]
    name: str
    log_path: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    cpus: Collection[int] | None = None
    stop_signal: Literal["TERM", "INT"] = "TERM"
    grace_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Child:
    """A running process.

    Attributes:
        command: that was started.
        pid: of the command itself (not of the tether around it).
        popen: the tether; its return code is the command's.
        log_start: byte of the log at which this process begins; before it are earlier ones.
        stop_pipe: closing it ends the process; `stop` does that.
    """

    command: Command
    pid: int
    popen: subprocess.Popen[bytes]
    log_start: int
    stop_pipe: io.FileIO

    def exit_code(self) -> int | None:
        """The command's exit code (128 + signal), or None while it runs."""
        return self.popen.poll()

    def wait(self, timeout_s: float) -> int | None:
        """The exit code once the command has ended, or None when `timeout_s` seconds passed before."""
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def last_lines(self, lines: int = LOG_LINES_SHOWN) -> str:
        """The last non-empty lines of its log."""
        return last_lines(self.command.log_path, lines, since=self.log_start)

    def stop(self) -> None:
        """End the process and its whole group; returns when it is gone. A second call does nothing."""
        self.stop_pipe.close()
        try:
            self.popen.wait(self.command.grace_s + 10)
        except subprocess.TimeoutExpired:
            for pid in (self.pid, self.popen.pid):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
            self.popen.wait()


@contextlib.contextmanager
def running(
    command: Command,
    *,
    ready: Callable[[], bool] | None = None,
    ready_timeout_s: float = 30.0,
    on_progress: Progress | None = None,
) -> Iterator[Child]:
    """Run `command` for the length of the `with` block.

    Args:
        command: what is run.
        ready: asked about every 50 ms until it says True; None: ready at once.
        ready_timeout_s: seconds after which waiting ends with `StartFailed`.
        on_progress: told about every 5 s what is being waited for.

    Raises:
        StartFailed: the command cannot be run, ended before it was ready, or was not ready in time.
    """
    child = start(command)
    try:
        if ready is not None:
            await_ready(child, ready, ready_timeout_s, on_progress)
        yield child
    finally:
        child.stop()


def start(command: Command) -> Child:
    """Start `command` behind a tether and return at once; the caller must call `Child.stop`.

    Raises:
        StartFailed: the command or its log cannot be opened.
    """
    log = _open_log(command)
    log_start = os.fstat(log).st_size
    parent_read, parent_write = os.pipe()
    status_read, status_write = os.pipe()
    tether = [sys.executable, "-I", "-S", str(TETHER)]
    tether += ["--parent-fd", str(parent_read), "--status-fd", str(status_write)]
    tether += ["--stop-signal", command.stop_signal, "--grace-s", str(command.grace_s)]
    tether += ["--cpus", ",".join(str(cpu) for cpu in sorted(command.cpus))] if command.cpus else []
    try:
        popen = subprocess.Popen(
            [*tether, "--", *command.argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=None if command.env is None else dict(command.env),
            cwd=command.cwd,
            start_new_session=True,
            pass_fds=(parent_read, status_write),
        )
    finally:
        os.close(log)
        os.close(parent_read)
        os.close(status_write)
    status = _read_status(status_read)
    if not status.startswith("pid "):
        os.close(parent_write)
        popen.wait()
        why = status.removeprefix("error ").strip() or last_lines(command.log_path, since=log_start)
        raise StartFailed(f"{command.name} cannot be started: {why}")
    return Child(command, int(status.split()[1]), popen, log_start, io.FileIO(parent_write, "w"))


def last_lines(path: Path, lines: int = LOG_LINES_SHOWN, *, since: int = 0) -> str:
    """The last `lines` non-empty lines of a log from byte `since` on, or a note that there are none."""
    try:
        with path.open("rb") as log:
            log.seek(max(since, path.stat().st_size - 64_000))
            text = log.read().decode(errors="replace")
    except OSError:
        text = ""
    kept = [line for line in text.splitlines() if line.strip()][-lines:]
    return "\n".join(kept) or "(its log is empty)"


def _open_log(command: Command) -> int:
    path = command.log_path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise StartFailed(f"the log of {command.name} cannot be written: {error.strerror}: {path}") from error


def _read_status(fd: int) -> str:
    """The tether's one line; empty when it ended, or said nothing for 30 s."""
    with os.fdopen(fd, "rb") as status:
        ready, _, _ = select.select([status], [], [], 30.0)
        return status.readline().decode(errors="replace") if ready else ""


def await_ready(
    child: Child, ready: Callable[[], bool], timeout_s: float, on_progress: Progress | None
) -> None:
    """Return when `ready` says True.

    Raises:
        StartFailed: the child ended before, or `timeout_s` seconds passed.
    """
    name, log_path = child.command.name, child.command.log_path
    started_s = time.monotonic()
    next_progress_s = PROGRESS_EVERY_S
    while not ready():
        waited_s = time.monotonic() - started_s
        code = child.exit_code()
        if code is not None:
            raise StartFailed(
                f"{name} ended with exit code {code} before it was ready; "
                f"the last lines of {log_path}:\n{child.last_lines()}"
            )
        if waited_s > timeout_s:
            raise StartFailed(
                f"{name} was not ready after {timeout_s:.0f} s; "
                f"the last lines of {log_path}:\n{child.last_lines()}"
            )
        if on_progress and waited_s >= next_progress_s:
            on_progress(f"waiting for {name}: {waited_s:.0f} s ({child.last_lines(1)[:120]})")
            next_progress_s += PROGRESS_EVERY_S
        time.sleep(0.05)
