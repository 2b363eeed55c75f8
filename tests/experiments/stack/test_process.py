"""What `experiments.stack.process` promises: started behind a tether, awaited, always ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from experiments.stack.process import Command, StartFailed, running

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN_FAMILY = [
    sys.executable,
    "-c",
    "import os, signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "same_group = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "sleeper = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
    "own_session = subprocess.Popen(sleeper, start_new_session=True)\n"
    "print('family', os.getpid(), same_group.pid, own_session.pid, flush=True)\n"
    "time.sleep(600)\n",
]


def eventually(condition: Callable[[], bool], within_s: float = 20.0) -> bool:
    """Poll until the condition holds; False when it does not within the time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def gone(pid: int) -> bool:
    """True when no live process has this id (a zombie is not alive)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def family_of(log: Path) -> list[int]:
    """The process ids that STUBBORN_FAMILY printed."""
    assert eventually(lambda: log.exists() and "family" in log.read_text())
    return [int(word) for word in log.read_text().split()[1:4]]


def test_leaving_the_block_ends_the_process(tmp_path: Path) -> None:
    """A process lives exactly as long as its `with` block."""
    with running(Command(SLEEPER, "sleeper", tmp_path / "log")) as child:
        assert not gone(child.pid)
    assert gone(child.pid)
    assert gone(child.popen.pid)


def test_an_exception_in_the_block_ends_the_process(tmp_path: Path) -> None:
    """A crash of ours does not leave the process behind."""
    with (
        contextlib.suppress(ZeroDivisionError),
        running(Command(SLEEPER, "s", tmp_path / "log")) as child,
    ):
        raise ZeroDivisionError
    assert gone(child.pid)


def test_a_family_that_ignores_the_stop_signal_is_killed(tmp_path: Path) -> None:
    """Grandchildren go too, those that took a session of their own included, and the grace is bounded."""
    log = tmp_path / "log"
    with running(Command(STUBBORN_FAMILY, "family", log, grace_s=0.3)):
        pids = family_of(log)
        assert not any(gone(pid) for pid in pids)
    assert all(eventually(lambda pid=pid: gone(pid)) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    """`kill -9` (or Ctrl-C, or a plain kill) of the parent ends the whole family."""
    log = tmp_path / "log"
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom experiments.stack.process import Command, running\n"
        f"with running(Command({STUBBORN_FAMILY!r}, 'family', Path({str(log)!r}), grace_s=0.3)):\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=Path.cwd(), stderr=subprocess.DEVNULL)
    try:
        pids = family_of(log)
        parent.send_signal(number)
        parent.wait(30)
        assert all(eventually(lambda pid=pid: gone(pid)) for pid in pids)
    finally:
        parent.kill()
        parent.wait()


def test_the_kernel_ends_the_command_when_the_tether_is_killed(tmp_path: Path) -> None:
    """Killing the tether itself does not free the command."""
    with running(Command(SLEEPER, "sleeper", tmp_path / "log")) as child:
        os.kill(child.popen.pid, signal.SIGKILL)
        assert eventually(lambda: gone(child.pid))


def test_the_exit_code_is_the_commands(tmp_path: Path) -> None:
    """What the command returns is what the caller sees."""
    eleven = Command([sys.executable, "-c", "raise SystemExit(11)"], "eleven", tmp_path / "log")
    with running(eleven) as child:
        assert child.wait(20) == 11


def test_a_command_is_pinned_to_the_cpus_it_is_given(tmp_path: Path) -> None:
    """`cpus={n}` is what the kernel reports for the process."""
    one = min(os.sched_getaffinity(0))
    with running(Command(SLEEPER, "sleeper", tmp_path / "log", cpus={one})) as child:
        assert psutil.Process(child.pid).cpu_affinity() == [one]


def test_a_command_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    """A missing program is named, without a traceback."""
    with (
        pytest.raises(
            StartFailed, match=r"^ghost cannot be started: No such file or directory: no-such-program$"
        ),
        running(Command(["no-such-program"], "ghost", tmp_path / "log")),
    ):
        pass


def test_a_process_that_dies_before_it_is_ready_shows_its_log(tmp_path: Path) -> None:
    """The last lines of the log are in the message."""
    dying = [sys.executable, "-c", "print('no model here', flush=True); raise SystemExit(3)"]
    with (
        pytest.raises(
            StartFailed, match=r"engine ended with exit code 3 before it was ready;[\s\S]*no model here"
        ),
        running(Command(dying, "engine", tmp_path / "log"), ready=lambda: False, ready_timeout_s=20),
    ):
        pass


def test_a_process_that_never_gets_ready_is_ended(tmp_path: Path) -> None:
    """Waiting has an end, and the process does not stay behind."""
    with (
        pytest.raises(StartFailed, match="engine was not ready after 0 s"),
        running(Command(SLEEPER, "engine", tmp_path / "log"), ready=lambda: False, ready_timeout_s=0.2),
    ):
        pass
    me = psutil.Process()
    assert eventually(
        lambda: not [c for c in me.children(recursive=True) if "time.sleep(600)" in c.cmdline()]
    )


def test_a_log_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """A folder that is a file is named."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StartFailed, match="the log of sleeper cannot be written"),
        running(Command(SLEEPER, "sleeper", tmp_path / "file" / "log")),
    ):
        pass
