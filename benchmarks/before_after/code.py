"""A state of the code that makes reports and recommendations, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.errors import EnvironmentProblem, UserError

_LONGEST_S = 600.0
_NOT_PASSED_ON = ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONHOME", "HEADROOM_RUN", "HEADROOM_HOME")


@dataclass(frozen=True, slots=True)
class Code:
    """A checkout; commands run in it, so that its modules are the ones that are found."""

    root: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`python WORDS` in the checkout, its output as text.

        Raises:
            EnvironmentProblem: it takes longer than ten minutes.
        """
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
        try:
            return subprocess.run(
                [sys.executable, *words],
                cwd=self.root, env=environment, timeout=_LONGEST_S,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise EnvironmentProblem(
                f"python {' '.join(words)} took longer than {_LONGEST_S:g} s in {self.root}"
            ) from None

    def check(self) -> None:
        """See that this checkout's modules are the ones that its commands import.

        Raises:
            EnvironmentProblem: they are those of another one.
        """
        found = self.run("-c", "import reports; print(reports.__file__)").stdout.strip()
        if not Path(found).is_relative_to(self.root):
            raise EnvironmentProblem(f"commands in {self.root} import {found}: nothing would be compared")


@contextlib.contextmanager
def of_revision(root: Path, revision: str, folder: Path) -> Iterator[Code]:
    """The code of a revision of the repository at `root`, in a worktree below `folder` that goes with the
    block.

    Raises:
        UserError: git does not know the revision, or `root` is no repository.
    """
    place = folder / "code"
    try:
        _git(root, "worktree", "add", "--quiet", "--detach", str(place), revision)
        yield Code(place)
    finally:
        if place.exists():
            _git(root, "worktree", "remove", "--force", str(place))


def _git(root: Path, *words: str) -> None:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"git {' '.join(_shown(words))}: {done.stderr.strip().splitlines()[-1]}")


def _shown(words: Sequence[str]) -> list[str]:
    return [word for word in words if not word.startswith("--")]
