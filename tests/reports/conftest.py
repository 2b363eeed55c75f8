"""Synthetic runs shared by the tests of the report; written once a session, never changed by a test."""

from pathlib import Path

import pytest

from reports import page
from reports.run import Run, load
from tests.reports.synthetic_prediction import write_prediction
from tests.reports.synthetic_run import write_run


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run of twelve cells: three MAX_ACTIVE, queue and reject, loads below and above capacity;
    and what the model predicted of each.
    """
    root = write_run(tmp_path_factory.mktemp("runs") / "twelve")
    write_prediction(root)
    return root


@pytest.fixture(scope="session")
def run(run_dir: Path) -> Run:
    """The same, loaded."""
    return load(run_dir)


@pytest.fixture(scope="session")
def html(run: Run) -> str:
    """The same, rendered."""
    return page.render(run)
