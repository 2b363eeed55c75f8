"""The notebooks, read and run from top to bottom."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.ipynb")))


def read(name: str) -> NotebookNode:
    """As it is stored."""
    path = FOLDER / f"{name}.ipynb"
    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # it has no types
    return notebook


def execute(names: Sequence[str], **runs: Path) -> dict[str, NotebookNode]:
    """Each in a kernel of its own, all at once; `runs`: the variables that name the run folders to read,
    none for the examples."""
    found = {name: read(name) for name in names}
    kernels = {key: value for key, value in os.environ.items() if not key.startswith("HEADROOM_")}
    kernels |= {"PYTHONPATH": str(FOLDER.parent), **{key: str(value) for key, value in runs.items()}}

    async def run(notebook: NotebookNode) -> None:
        client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(FOLDER)}})
        await client.async_execute(env=kernels)

    async def every() -> None:
        await asyncio.gather(*(run(notebook) for notebook in found.values()))

    asyncio.run(every())
    return found


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    """Of all cells, in order."""
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def texts(notebook: NotebookNode) -> list[str]:
    """What was printed, and frames and sentences as text."""
    found = []
    for output in outputs(notebook):
        data: Mapping[str, str] = output.get("data", {})
        if "image/svg+xml" not in data:
            found.append(output.get("text", "") + data.get("text/plain", ""))
    return found


def played(name: str) -> dict[str, object]:
    """The code of a notebook run in this process, from top to bottom; the names that it leaves."""
    code = [cell.source for cell in read(name).cells if cell.cell_type == "code"]
    names: dict[str, object] = {}
    for at, source in enumerate(code):
        exec(compile(source, f"{name}, cell {at}", "exec"), names)
    return names
