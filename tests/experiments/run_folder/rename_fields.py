"""`python -m tests.experiments.run_folder.rename_fields`: does a renamed field of the run folder ever pass?

Each mutation renames one field of a document's type in one place only: in the type, where a producer names
it, or where a reader asks for it; or, with --everywhere, in all of them at once, which only a run folder that
was written before can tell. The types are asked first, then the named tests. Works in a copy of HEAD; changes
nothing here.

    python -m tests.experiments.run_folder.rename_fields --count 40 --seed 1
    python -m tests.experiments.run_folder.rename_fields --everywhere --count 10
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.run_folder.describe import document_types

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("loadtests", "experiments", "reports")
"""Where fields are declared, made and read."""
EVERYWHERE = (*PACKAGES, "gateway", "headroom", "monitoring", "benchmarks", "tests")
TESTS = (
    "tests/experiments/run_folder",
    "tests/docs/test_run_folder_page.py",
    "tests/experiments/test_old_runs.py::test_documents_are_written_as_they_were_read",
)
"""The part of the tests that has to see what types cannot."""
_SUFFIX = "_renamed"
_WHERE = ("type", "producer", "reader")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a document's type, and the file that declares it."""

    owner: str
    name: str
    file: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """The field's name at one place of one file: line and column, from 1 and 0."""

    field: Field
    where: str
    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.field.owner}.{self.field.name} in its {self.where}, {self.file}:{self.line}"


def fields() -> list[Field]:
    """Every field of every type that a document of the run folder is made of."""
    return [
        Field(kind.__name__, field.name, kind.__module__.replace(".", "/") + ".py")
        for kind in document_types()
        for field in dataclasses.fields(kind)
    ]


def mutations(root: Path) -> dict[str, list[Mutation]]:
    """Every mutation of one place, by where that is."""
    by_name: dict[str, list[Field]] = {}
    for field in fields():
        by_name.setdefault(field.name, []).append(field)
    owners = {field.owner: field for field in fields()}
    places: dict[str, list[Mutation]] = {where: [] for where in _WHERE}
    for file in _files(root):
        tree = ast.parse((root / file).read_text(encoding="utf-8"))
        imports_schema = file.startswith("reports/") or "run_folder" in (root / file).read_text()
        for node in ast.walk(tree):
            places["type"] += _in_type(node, file)
            places["producer"] += _in_call(node, file, set(owners), by_name)
            if isinstance(node, ast.Attribute) and imports_schema and isinstance(node.ctx, ast.Load):
                line, end = node.end_lineno or 0, node.end_col_offset or 0
                for field in by_name.get(node.attr, [])[:1]:
                    places["reader"].append(Mutation(field, "reader", file, line, end - len(node.attr)))
    return places


def _in_type(node: ast.AST, file: str) -> Iterator[Mutation]:
    if not isinstance(node, ast.ClassDef):
        return
    names = {field.name: field for field in fields() if (field.owner, field.file) == (node.name, file)}
    for inner in node.body:
        if (
            isinstance(inner, ast.AnnAssign)
            and isinstance(inner.target, ast.Name)
            and inner.target.id in names
        ):
            yield Mutation(names[inner.target.id], "type", file, inner.lineno, inner.col_offset)


def _in_call(
    node: ast.AST, file: str, owners: set[str], by_name: dict[str, list[Field]]
) -> Iterator[Mutation]:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in owners):
        return
    for keyword in node.keywords:
        for field in by_name.get(keyword.arg or "", []):
            if field.owner == node.func.id:
                yield Mutation(field, "producer", file, keyword.lineno, keyword.col_offset)


def _files(root: Path, folders: Sequence[str] = PACKAGES) -> list[str]:
    return [str(path.relative_to(root)) for name in folders for path in sorted((root / name).rglob("*.py"))]


def applied(root: Path, mutation: Mutation) -> dict[Path, str]:
    """Rename in that place; what the file held before."""
    path = root / mutation.file
    before = path.read_text(encoding="utf-8")
    lines = before.splitlines(keepends=True)
    # Columns of the syntax tree count bytes.
    line = lines[mutation.line - 1].encode()
    name = mutation.field.name.encode()
    assert line[mutation.column :].startswith(name), mutation
    changed = line[: mutation.column] + name + _SUFFIX.encode() + line[mutation.column + len(name) :]
    lines[mutation.line - 1] = changed.decode()
    path.write_text("".join(lines), encoding="utf-8")
    return {path: before}


def applied_everywhere(root: Path, field: Field) -> dict[Path, str]:
    """Rename every mention of the name in the code, tests included; what the files held before."""
    before = {}
    for file in _files(root, EVERYWHERE):
        text = (root / file).read_text(encoding="utf-8")
        changed = re.sub(rf"\b{field.name}\b", field.name + _SUFFIX, text)
        if changed != text:
            before[root / file] = text
            (root / file).write_text(changed, encoding="utf-8")
    return before


def caught_by(root: Path, tests: Sequence[str]) -> str:
    """What fails in the copy: "types", "tests", or "" when nothing does."""
    if _run(root, "mypy").returncode:
        return "types"
    if _run(root, "pytest", "-q", "-x", "-m", "not prove and not vllm", *tests).returncode:
        return "tests"
    return ""


def _run(root: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=root, capture_output=True, check=False, timeout=600
    )


def main(argv: Sequence[str]) -> int:
    """Try the mutations; exit code 1 when one of them passed unseen."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.experiments.run_folder.rename_fields",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=40, help="mutations to try (default 40)")
    parser.add_argument("--seed", type=int, default=1, help="of their choice (default 1)")
    parser.add_argument("--everywhere", action="store_true", help="rename a field in all places at once")
    options = parser.parse_args(argv)
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="headroom-rename-") as folder:
        root = Path(folder) / "copy"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", root, "HEAD"], cwd=ROOT, check=True)
        try:
            if why := caught_by(root, TESTS):
                print(f"the copy fails without any mutation ({why})", file=sys.stderr)
                return 2
            passed = _try_all(root, rng, options.count, everywhere=options.everywhere)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", root], cwd=ROOT, check=True)
    print(f"{options.count - len(passed)} of {options.count} caught (seed {options.seed})")
    for one in passed:
        print(f"  not seen: {one}")
    return 1 if passed else 0


def _try_all(root: Path, rng: random.Random, count: int, *, everywhere: bool) -> list[str]:
    passed = []
    places = mutations(root)
    for number in range(1, count + 1):
        if everywhere:
            # Names of two words: the others are also names of other things.
            field = rng.choice([field for field in fields() if "_" in field.name])
            shown, before = f"{field.owner}.{field.name} everywhere", applied_everywhere(root, field)
        else:
            mutation = rng.choice(places[rng.choice(_WHERE)])
            shown, before = str(mutation), applied(root, mutation)
        started_s = time.monotonic()
        try:
            why = caught_by(root, TESTS)
        finally:
            for path, text in before.items():
                path.write_text(text, encoding="utf-8")
        print(f"{number:3} {why or 'NOT SEEN':8} {time.monotonic() - started_s:5.1f} s  {shown}", flush=True)
        passed += [] if why else [shown]
    return passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
