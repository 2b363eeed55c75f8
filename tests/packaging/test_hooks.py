"""The hooks before a commit are the fast half of `make check`, and fetch nothing."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
REPOS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]


def checks() -> list[list[str]]:
    """The commands of `make check`, in words, without the environment's folder and the path."""
    (recipe,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return [shlex.split(line.replace("$(VENV)/bin/", "")) for line in recipe.splitlines()]


def test_every_hook_is_a_line_of_make_check() -> None:
    """What passes before a commit passes there as well; only the types, which take longer, come later."""
    hooks = [hook for repo in REPOS for hook in repo["hooks"]]
    entries = [shlex.split(hook["entry"].removeprefix(".venv/bin/")) for hook in hooks]
    shown = [[word for word in words if word != "--force-exclude"] for words in entries]
    known = [[word for word in words if word != "."] for words in checks()]
    assert [words for words in known if words not in shown] == [["mypy"]]
    assert [words for words in shown if words not in known] == []


def test_nothing_is_fetched() -> None:
    """Every hook is local and runs a program that set-up has installed."""
    assert {repo["repo"] for repo in REPOS} == {"local"}
    assert {hook["language"] for repo in REPOS for hook in repo["hooks"]} == {"system"}
