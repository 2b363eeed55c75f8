"""The documentation: its links lead somewhere, its commands exist, and what it says about settings is so."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from headroom.commands import COMMANDS
from loadtests.running import options

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "monitoring" / "runbook.md", *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
# A doc may name the shell's own words and programs that every machine here has.
PROGRAMS = {
    "cd",
    "cp",
    "curl",
    "docker",
    "set",
    ".",
    "sed",
    "ssh",
    "make",
    "python",
    "headroom",
    "locust",
    "nvidia-smi",
} | {
    ".tools/open-webui/bin/pip",
    ".tools/open-webui/bin/open-webui",
}


def commands(page: Path) -> list[str]:
    """Every command of the page's shell blocks: lines joined, comments and command substitutions out."""
    lines = []
    for block in FENCE.findall(page.read_text()):
        joined = re.sub(r"\\\n\s*", " ", block)
        plain = re.sub(r"(?:^|\s+)#.*$", "", re.sub(r"\$\([^)]*\)", "X", joined), flags=re.MULTILINE)
        lines += [line for line in plain.splitlines() if line.strip()]
    return [part.strip() for line in lines for part in re.split(r"\s&&\s|;\s", line)]


ALL = [(page, command) for page in PAGES for command in commands(page)]


def anchors(page: Path) -> set[str]:
    """The anchors that the page's headings make (the rule of common renderers)."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", heading.lower().replace("`", ""))
        found.add(kept.strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Files and anchors that a page points to are there."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


@cache
def flags_of(module: str) -> str:
    """A text that holds every flag of `python -m module`: what `--help` prints."""
    if module == "locust":  # importing it patches the standard library: its source names its own flags
        spec = importlib.util.find_spec("locust")
        assert spec is not None
        assert spec.origin is not None
        ours = [flag.name for flag in (*options.LOAD, *options.REQUESTS, *options.RUN)]
        own = Path(spec.origin).with_name("argument_parser.py").read_text()
        return own + " ".join(f"--{name}" for name in ours)
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, f"python -m {module} --help: {done.stderr[-500:]}"
    return done.stdout


def module_of(word: str) -> str:
    """What `python -m` calls the command that `headroom` knows by this word."""
    module = next(command.module for command in COMMANDS if command.name == word)
    return "locust" if word == "load" else module.removesuffix(".__main__")


@pytest.mark.parametrize(("page", "command"), ALL, ids=lambda value: getattr(value, "name", str(value)[:60]))
def test_commands_exist_and_take_these_flags(page: Path, command: str) -> None:
    """A make target that is gone, or a flag that was renamed, is found here and not by a reader."""
    words = [word for word in shlex.split(command, comments=True) if not re.match(r"^[A-Z_]+=", word)]
    if not words:
        return
    assert words[0] in PROGRAMS, f"{page.name}: {command}"
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in words[1:] if "=" not in word} <= targets
    if words[0] == "headroom" and not words[1].startswith("-"):
        words = ["python", "-m", module_of(words[1]), *words[2:]]
    if words[:2] == ["python", "-m"] and words[2] != "venv":
        flags = [word.split("=")[0] for word in words[3:] if word.startswith("--")]
        shown = flags_of(words[2])
        assert [flag for flag in flags if flag not in shown] == []


@pytest.mark.parametrize(
    "command", ["python -m gateway --help", "python -m experiments.sweep --engine emulator --dry-run"]
)
def test_harmless_commands_are_run(command: str) -> None:
    """Those that start nothing are run as they stand in the documentation."""
    assert any(command in page.read_text() for page in PAGES)
    words = [sys.executable, *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]


@pytest.mark.prove
def test_tables_are_what_the_simulator_says() -> None:
    """The figures of the insights and of scaling are made by code that is here; they change when it does."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.tables", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"out of step, run python -m tests.docs.tables: {done.stderr}"
