"""Runs one command so that it cannot outlive the process that asked for it. Standard library only.

    python tether.py --parent-fd 7 --status-fd 9 --stop-signal TERM --grace-s 5 [--cpus 0,1] -- COMMAND ...

The parent holds the other end of the pipe `--parent-fd` and never writes. However the parent ends (also by
`kill -9`), the kernel closes that end, and the whole process group of the command is ended: first the stop
signal, after the grace SIGKILL. The same happens on SIGTERM or SIGINT. Should the tether itself be killed,
the kernel kills the command (PR_SET_PDEATHSIG). Processes that left the command's group come to the tether
(PR_SET_CHILD_SUBREAPER) and are killed as well.

One line goes to `--status-fd`: `pid N`, or `error TEXT` when the command cannot be started. The exit code
is the command's, or 128 + the signal that ended it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _signal_group(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _group_alive(child: subprocess.Popen[bytes]) -> bool:
    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group that holds only zombies
        return False
    return True


def _reap_orphans() -> None:
    """Collect adopted processes that have ended, so that they do not count as members of the group."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _kill_orphans() -> None:
    """Kill what left the command's process group and was adopted by this process."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    with contextlib.suppress(OSError):
        for pid in children.read_text().split():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), signal.SIGKILL)


def _end(child: subprocess.Popen[bytes], stop_signal: int, grace_s: float) -> None:
    """Stop signal to the group, SIGKILL once the grace is over; returns when nobody of it is left."""
    _signal_group(child, stop_signal)
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline:
        if child.poll() is not None:
            _reap_orphans()
            if not _group_alive(child):
                break
        time.sleep(0.02)
    _signal_group(child, signal.SIGKILL)
    child.wait()
    _kill_orphans()
    _reap_orphans()


def _watch(child: subprocess.Popen[bytes], parent_fd: int, wake_fd: int) -> None:
    """Return when the command has ended, the parent is gone, or a signal asked to stop."""
    while child.poll() is None:
        readable, _, _ = select.select([parent_fd, wake_fd], [], [])
        if parent_fd in readable and not os.read(parent_fd, 64):
            return
        if wake_fd in readable and set(os.read(wake_fd, 64)) & {signal.SIGTERM, signal.SIGINT}:
            return


def _start(command: list[str], status_fd: int) -> subprocess.Popen[bytes]:
    tether_pid = os.getpid()

    def in_child() -> None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != tether_pid:
            os._exit(1)

    try:
        child = subprocess.Popen(command, start_new_session=True, preexec_fn=in_child)
    except OSError as error:
        os.write(status_fd, f"error {error.strerror}: {command[0]}\n".encode())
        raise SystemExit(127) from None
    os.write(status_fd, f"pid {child.pid}\n".encode())
    os.close(status_fd)
    return child


def main(argv: list[str]) -> int:
    """Run the command of `argv` until it ends or the parent does; its exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent-fd", type=int, required=True)
    parser.add_argument("--status-fd", type=int, required=True)
    parser.add_argument("--stop-signal", default="TERM")
    parser.add_argument("--grace-s", type=float, default=5.0)
    parser.add_argument("--cpus", default="")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args(argv)

    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    if args.cpus and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(cpu) for cpu in args.cpus.split(",")})

    child = _start(args.command, args.status_fd)
    _watch(child, args.parent_fd, wake_read)
    _end(child, signal.Signals[f"SIG{args.stop_signal}"], args.grace_s)
    code = child.returncode
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
