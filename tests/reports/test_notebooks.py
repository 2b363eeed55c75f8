"""The notebooks run from top to bottom: on HEADROOM_RUN, an example run, or a synthetic one."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

import reports

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture(scope="module")
def chosen(run_dir: Path) -> Path:
    """The run to read."""
    try:
        return reports.example().resolve()
    except reports.NotARunError:
        return run_dir


def _read(name: str) -> NotebookNode:
    path = NOTEBOOKS / f"{name}.ipynb"
    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # it has no types
    return notebook


@pytest.mark.parametrize("name", ["read_a_run", "find_the_knee", "choose_a_setting"])
def test_a_notebook_runs(name: str, chosen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cell fails, figures appear, and the engine is named."""
    monkeypatch.setenv("HEADROOM_RUN", str(chosen))
    notebook = _read(name)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    printed = "".join(output.get("text", "") for output in outputs)
    assert reports.load(chosen).engine in printed
    assert not [output for output in outputs if output.get("name") == "stderr"]


@pytest.mark.parametrize("name", ["read_a_run", "find_the_knee", "choose_a_setting"])
def test_a_notebook_calls_and_defines_nothing(name: str) -> None:
    """Code lives in the packages, where it is tested; and only their public functions are used."""
    notebook = _read(name)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert "def " not in code
    assert "class " not in code
    assert "._" not in code
    assert "import _" not in code


@pytest.mark.parametrize("name", ["read_a_run", "find_the_knee", "choose_a_setting"])
def test_stored_outputs_name_their_engine_and_no_machine(name: str) -> None:
    """What is committed was made by some engine, and holds no path of the machine that made it."""
    text = (NOTEBOOKS / f"{name}.ipynb").read_text()
    for place in (NOTEBOOKS.parent, Path.home()):
        assert f"{place}/" not in text
