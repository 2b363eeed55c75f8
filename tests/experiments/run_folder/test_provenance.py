"""Where a run was made."""

from __future__ import annotations

import subprocess
from pathlib import Path

from experiments.run_folder import provenance


def test_the_commit_is_the_checkouts(tmp_path: Path) -> None:
    """With what is not committed beside it."""
    for words in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    clean = provenance.collect(tmp_path)
    (tmp_path / "file").touch()
    assert len(clean.commit or "") == 40
    assert (clean.uncommitted_changes, provenance.collect(tmp_path).uncommitted_changes) == (False, True)


def test_an_installed_project_has_no_commit() -> None:
    """The repository that an environment may lie in is not the project's."""
    facts = provenance.collect(None)
    assert (facts.commit, facts.uncommitted_changes) == (None, None)
