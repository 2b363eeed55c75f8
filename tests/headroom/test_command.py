"""The console command: every word of it, its help, and that it imports nothing before it knows what for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.errors import UserError
from headroom.__main__ import help_text, run
from headroom.commands import COMMANDS, Command

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "aiohttp",
    "fastapi",
    "gevent",
    "locust",
    "numpy",
    "pandas",
    "pydantic",
    "rich",
    "scipy",
}


def headroom(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "headroom", *words], cwd=cwd, capture_output=True, text=True, timeout=120
    )


BOTH_HELPS = """
import contextlib, runpy, sys
from headroom.__main__ import run
name, module = sys.argv[1:]
if module:
    sys.argv[1:] = ["--help"]
    with contextlib.suppress(SystemExit):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    print("BETWEEN")
run([name, "--help"])
"""
"""`python -m MODULE --help`, then `headroom NAME --help`: one process, since most of its time is imports."""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_is_there_under_both_names(command: Command) -> None:
    """It starts, and its usage line and examples call it what the user did; `python -m` takes the same flags
    (for `load` that is Locust itself).
    """
    module = "" if command.name == "load" else command.module.removesuffix(".__main__")
    words = [sys.executable, "-c", BOTH_HELPS, command.name, module]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    long, _, short = done.stdout.rpartition("BETWEEN\n")
    assert short.startswith(f"usage: headroom {command.name} ")
    if not module:
        return
    assert f"python -m {module} " not in short
    assert long.startswith(f"usage: python -m {module} ")
    assert flags(long) == flags(short)


def flags(text: str) -> set[str]:
    """Every flag that a help names."""
    return set(re.findall(r"--[a-z][a-z-]*", text))


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, asked for or not."""
    assert run(["--help"]) == run([]) == 0
    shown = capsys.readouterr().out
    assert shown == 2 * help_text()
    assert all(f"  {command.name} " in shown and command.summary in shown for command in COMMANDS)
    assert max(len(line) for line in shown.splitlines()) <= 110


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("swep", "did you mean sweep?"),
        ("qqq", "the commands are sweep, tune, "),
        ("--fast", "the commands are"),
    ],
)
def test_a_word_that_is_none_is_told_what_there_is(word: str, said: str) -> None:
    """The nearest command, or all of them."""
    with pytest.raises(UserError, match=f"^{word!r} is not a command; {re.escape(said)}"):
        run([word])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("swep", "--dry-run"), 2, "headroom: 'swep' is not a command"),
        (("sweep", "--swep"), 2, "headroom: unrecognized arguments: --swep; see headroom sweep --help"),
        (("recommend", "no/such/run"), 2, "headroom: no/such/run"),
        (("report", "no/such/run"), 2, "no/such/run"),
        (("gateway", "--max-active", "0"), 2, "gateway: "),
    ],
)
def test_mistakes_end_as_they_do_without_it(words: tuple[str, ...], code: int, said: str) -> None:
    """One sentence and the exit code of the command."""
    done = headroom(*words)
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1


def test_nothing_heavy_is_imported_before_the_command_is_known() -> None:
    """Help and mistakes answer at once."""
    script = "import sys, headroom.__main__ as h; h.run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert HEAVY & set(done.stderr.split()) == set()


def test_helps_and_mistakes_import_no_analysis() -> None:
    """Parse first, import later: what a help or a wrong flag costs is imports. One process for all commands,
    so that a module which one of them imports is seen."""
    done = subprocess.run(
        [sys.executable, "-c", _EVERY_COMMAND], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert {name for name, _ in found} == {command.name for command in COMMANDS}
    assert len(found) == 2 * len(COMMANDS) - 1, "all but load, whose flags are Locust's, have a mistake"
    assert [words for words in found if words[1]] == []


_EVERY_COMMAND = """
import json, sys
from experiments.errors import UserError
from headroom.__main__ import run
from headroom.commands import COMMANDS

SLOW = {
    "scipy", "pandas", "pyarrow", "numba", "httpx", "requests", "locust", "gevent",
    "uvicorn", "rich",
}
MISTAKES = {
    "sweep": ["--slo", "x"], "tune": ["--model", "no/such"], "capacity": ["--max-active", "2,4"],
    "compare": ["no/such", "no/such"], "gate": ["no/such", "--baseline", "no/such"], "recommend": ["no/such"],
    "predict": ["--model", "no/such"], "calibrate": ["--from-run", "no/such"], "report": ["no/such"],
    "export-trace": ["no/such"], "traces": ["no/such"], "gateway": ["--max-active", "0"],
    "ui": ["--engine", "x"], "status": ["--nope"], "batch": ["run", "x", "--max-in-flight", "0"],
    "watch": ["--every", "soon"], "explain": ["--at", "soon"],
}
WITH_NUMBERS = {"traces", "load"}  # whose flags are those of what is drawn with numpy


def imported(name, words, code, slow):
    try:
        ended = run([name, *words])
    except SystemExit as end:
        ended = end.code
    except UserError:
        ended = 2
    assert ended == code, (name, words, ended)
    return name, sorted(slow & sys.modules.keys())


names = sorted((command.name for command in COMMANDS), key=WITH_NUMBERS.__contains__)
found = [imported(name, ["--help"], 0, SLOW if name in WITH_NUMBERS else SLOW | {"numpy"}) for name in names]
found += [imported(name, words, 2, SLOW) for name, words in MISTAKES.items()]
print()
print(json.dumps(found))
"""


def test_load_is_locust_with_our_flags(tmp_path: Path) -> None:
    """From any folder the words after `load` reach our own checks inside Locust."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from headroom.__main__ import main; main()"
    words = ("load", "--headless", "--scenario", "no-such", "--host", "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "--scenario: invalid choice: 'no-such'" in done.stderr
