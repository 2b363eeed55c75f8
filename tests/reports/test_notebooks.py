"""The notebooks run from top to bottom on the examples, and say what a run lacks where it lacks something."""

from pathlib import Path

import pytest
from nbformat import NotebookNode

import reports
from tests.reports import notebooks, odd_runs

every_notebook = pytest.mark.parametrize("name", notebooks.NAMES)


@pytest.fixture(scope="module")
def executed() -> dict[str, NotebookNode]:
    """All of them on the example runs."""
    return notebooks.execute(notebooks.NAMES)


@every_notebook
def test_a_notebook_runs(name: str, executed: dict[str, NotebookNode]) -> None:
    """No cell fails, figures appear, the engine is named, and nothing is written to stderr."""
    outputs = notebooks.outputs(executed[name])
    assert any("image/svg+xml" in output.get("data", {}) for output in outputs)
    assert reports.load(reports.example()).engine in "".join(notebooks.texts(executed[name]))
    assert not [output for output in outputs if output.get("name") == "stderr"]


@every_notebook
def test_what_is_stored_is_what_it_says_today(name: str, executed: dict[str, NotebookNode]) -> None:
    """Every text, to the letter: outputs of another run or another version would be told as these."""
    assert notebooks.texts(notebooks.read(name)) == notebooks.texts(executed[name])


def test_the_knee_lies_among_the_measured_rates(executed: dict[str, NotebookNode]) -> None:
    """Of the recommended setting, on the run that is shipped for it; and how to measure one is said."""
    told = "".join(notebooks.texts(executed["find_the_knee"]))
    assert "16 slots · reject takes about 14.5 requests a second: " in told
    assert "headroom capacity" in told


@every_notebook
def test_a_notebook_calls_and_defines_nothing(name: str) -> None:
    """Code lives in the packages, where it is tested; and only their public functions are used."""
    code = "\n".join(cell.source for cell in notebooks.read(name).cells if cell.cell_type == "code")
    for word in ("def ", "class ", "try:", "if ", "for ", "._", "import _"):
        assert word not in code


@every_notebook
def test_stored_outputs_name_no_machine(name: str) -> None:
    """What is committed holds no path of the machine that made it."""
    text = (notebooks.FOLDER / f"{name}.ipynb").read_text()
    for place in (notebooks.FOLDER.parent, Path.home()):
        assert f"{place}/" not in text


@pytest.mark.prove
@pytest.mark.parametrize("odd", odd_runs.MADE, ids=lambda odd: odd.__name__)
def test_on_an_odd_run_it_says_what_is_missing_and_goes_on(odd: odd_runs.Maker, tmp_path: Path) -> None:
    """To the last cell of each notebook; and the sentence is there."""
    run, said = odd(tmp_path / "run")
    found = notebooks.execute(notebooks.NAMES, HEADROOM_RUN=run)
    for name, notebook in found.items():
        assert not [output for output in notebooks.outputs(notebook) if output.get("name") == "stderr"], name
    told = "".join(text for notebook in found.values() for text in notebooks.texts(notebook))
    for sentence in said:
        assert sentence in told


@pytest.mark.prove
def test_two_runs_of_ones_own_are_compared(tmp_path: Path) -> None:
    """A sweep and one of the same command that was cut off: what both have is compared, what not is named."""
    runs = {"HEADROOM_BASELINE": odd_runs.OLD / "sweep", "HEADROOM_RUN": odd_runs.OLD / "cut-off"}
    told = "".join(notebooks.texts(notebooks.execute(["compare_two_runs"], **runs)["compare_two_runs"]))
    assert "cut-off compared with sweep: " in told
    assert "not judged: cells that only one run has" in told
