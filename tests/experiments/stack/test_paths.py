"""Where things are, in a checkout and where the packages were installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.stack import paths


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like one."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    return folder


def test_a_checkout_keeps_its_things_itself(checkout: Path) -> None:
    """Wherever a command is called from: a second folder of fetched programs would be a surprise."""
    assert paths.home({}, checkout) == checkout


def test_an_installed_project_keeps_them_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never in site-packages, where they would be lost with the next installation."""
    monkeypatch.chdir(tmp_path)
    assert paths.home({}, tmp_path / "site-packages") == tmp_path


@pytest.mark.parametrize("named", ["kept", "./kept", "../here/kept"])
def test_the_variable_comes_first(
    named: str, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HEADROOM_HOME, also where it is relative; an empty one says nothing."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert paths.home({"HEADROOM_HOME": named}, checkout) == here / "kept"
    assert paths.home({"HEADROOM_HOME": ""}, checkout) == checkout


def test_what_ships_is_there() -> None:
    """Rules and locustfile are found through their packages."""
    assert list(paths.rules().glob("*.rules.yml"))
    assert paths.locustfile().is_file()


def test_a_process_elsewhere_imports_these_packages(tmp_path: Path) -> None:
    """The checkout's own, whatever else the interpreter has installed."""
    script = "import experiments; print(experiments.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=paths.import_path(), capture_output=True, text=True
    )
    assert Path(done.stdout.strip()).parents[1] == paths.CODE
