"""The versions that a run notes of the libraries it was made with."""

import re
import tomllib
from pathlib import Path

from experiments.run_folder.provenance import collect

ROOT = Path(__file__).resolve().parents[3]


def test_the_versions_that_are_noted_are_of_what_is_installed_with_us() -> None:
    """A library that only tests need is not there where the wheel was installed, and a run must begin."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[^\w.-]", dependency)[0] for dependency in project["dependencies"]}
    noted = collect(ROOT).packages
    assert noted is not None
    assert set(noted) <= needed
