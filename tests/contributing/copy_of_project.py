"""A copy of the project that may be changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_SHORT = (
    "--warm-up", "1s", "--measure", "5s", "--min-requests", "10", "--sentinel", "off", "--quiet",
    "--design", "grid", "--out", "runs/x",
    "--engine-cpus", "",
)  # fmt: skip
_LEFT_OUT = ("docs/examples", "docs/img", "tests", "notebooks")


class ProjectCopy:
    """The tracked files in a folder of their own, without tests and examples; it counts which are touched."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.touched: set[str] = set()
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in listed.stdout.splitlines():
            if name.startswith(_LEFT_OUT) or not (ROOT / name).is_file():
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
        if (ROOT / ".tools").exists():
            (folder / ".tools").symlink_to(ROOT / ".tools")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands in a file exactly once."""
        text = (self.path / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        (self.path / name).write_text(text.replace(old, new), encoding="utf-8")
        self.touched.add(name)

    def create(self, name: str, text: str) -> None:
        """A new file."""
        assert not (self.path / name).exists()
        (self.path / name).write_text(text, encoding="utf-8")
        self.touched.add(name)

    def python(self, *arguments: str, timeout_s: float = 240.0) -> str:
        """Run Python in the copy; what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments], cwd=self.path, capture_output=True, text=True, check=False,
            timeout=timeout_s,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sweep(self, *flags: str) -> tuple[dict[str, Any], str]:
        """A short sweep in the copy: the summary of one of its cells, and the text of its report."""
        self.python("-m", "experiments.sweep", *_SHORT, *flags)
        (summary, *_) = sorted((self.path / "runs" / "x" / "cells").glob("*/summary.json"))
        report = (self.path / "runs" / "x" / "report.html").read_text(encoding="utf-8")
        stored: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
        return stored, report
