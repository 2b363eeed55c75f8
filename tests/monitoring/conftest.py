"""What the tests of the monitoring share: where promtool is, and which files there are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of promtool: on the PATH, or beside the Prometheus that the project unpacked for itself."""
    unpacked = sorted(ROOT.glob(".tools/**/bin/promtool"))
    path = shutil.which("promtool") or (str(unpacked[0]) if unpacked else None)
    if path is None:
        pytest.skip("promtool is not here: it comes with `python -m experiments.stack.provide prometheus`")
    return path
