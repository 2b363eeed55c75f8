"""Counts over the source: what the rules of the house are checked with. Only the syntax tree is read."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gateway", "loadtests", "experiments", "reports", "monitoring")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """A source file.

    Attributes:
        path: from the root of the checkout.
        lines: all of them, blank ones and comments too.
    """

    path: Path
    lines: int
    tree: ast.Module


@cache
def modules(package: str) -> tuple[Module, ...]:
    """Every module of a package, read once."""
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        text = path.read_text()
        found.append(Module(path.relative_to(ROOT), len(text.splitlines()), ast.parse(text)))
    return tuple(found)


def everything() -> Iterator[Module]:
    """The modules of all packages."""
    for package in PACKAGES:
        yield from modules(package)


def functions() -> Iterator[tuple[str, Function]]:
    """Every function and method, with where it is."""
    for module in everything():
        for node in ast.walk(module.tree):
            if isinstance(node, Function):
                yield f"{module.path}:{node.lineno} {node.name}", node


def length(function: Function) -> int:
    """Lines from `def` to the last one, the docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameters(function: Function) -> int:
    """How many there are; `self` and `cls` do not count."""
    args = function.args
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
    return len(named) - (named[:1] != [] and named[0].arg in ("self", "cls"))


def any_per_1000_lines() -> float:
    """How often `Any` is written, imports apart."""
    used = sum(is_any(node) for module in everything() for node in ast.walk(module.tree))
    return 1000 * used / sum(module.lines for module in everything())


def is_any(node: ast.AST) -> bool:
    """Whether it is the name."""
    return isinstance(node, ast.Name) and node.id == "Any"


def untyped_mappings() -> dict[str, int]:
    """File → how often `dict[str, Any]` or `Mapping[str, Any]` is written in it."""
    found: Counter[str] = Counter()
    for module in everything():
        found[str(module.path)] += sum(_is_untyped_mapping(node) for node in ast.walk(module.tree))
    return +found


def _is_untyped_mapping(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)):
        return False
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    return node.value.id.endswith(("dict", "Mapping")) and len(inner) == 2 and is_any(inner[1])


def shared_class_names(package: str) -> dict[str, list[str]]:
    """The names of public classes that a package defines more than once, with their files."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules(package):
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(module.path))
    return {name: paths for name, paths in sorted(places.items()) if len(paths) > 1}


def direct_modules(package: str) -> dict[str, bool]:
    """The modules directly in a package, and whether each is a command (can be run)."""
    direct = [module for module in modules(package) if len(module.path.parts) == 2]
    return {
        module.path.stem: "__main__" in ast.dump(module.tree)
        for module in direct
        if module.path.stem != "__init__"
    }


def arrows(package: str) -> set[tuple[str, str]]:
    """Who imports whom among a package's rooms (its folders) and direct modules."""
    rooms = {module.path.with_suffix("").parts[1] for module in modules(package)} - {"__init__"}
    found = set()
    for module in modules(package):
        own = module.path.with_suffix("").parts[1]
        found |= {(own, room) for room in _imported(module, package) & rooms if room != own}
    return found


def _imported(module: Module, package: str) -> set[str]:
    """The second word of everything imported from the package."""
    names = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == package and len(part) > 1}


def order(found: set[tuple[str, str]]) -> list[str]:
    """The rooms, each after those that it imports.

    Raises:
        graphlib.CycleError: there is a circle; the error names it.
    """
    below: defaultdict[str, set[str]] = defaultdict(set)
    for importer, imported in found:
        below[importer].add(imported)
    return list(TopologicalSorter(below).static_order())
