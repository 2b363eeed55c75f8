"""What the project asks of others: a lower bound each, and a lock that fits it and names no index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text().splitlines()
BUILD = [Requirement(text) for text in PROJECT["build-system"]["requires"]]
NEEDED = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
DEV = [Requirement(text) for text in PROJECT["project"]["optional-dependencies"]["dev"]]


def locked() -> dict[str, set[str]]:
    """Name → the versions that the lock has for it, by Python version and platform."""
    found: dict[str, set[str]] = {}
    for line in LOCK:
        requirement = Requirement(line)
        versions = {specifier.version for specifier in requirement.specifier}
        found.setdefault(requirement.name, set()).update(versions)
    return found


def test_every_dependency_has_a_lower_bound() -> None:
    """Without one, an environment with a library of years ago installs and breaks later."""
    free = [one.name for one in (*BUILD, *NEEDED, *DEV) if not any(s.operator == ">=" for s in one.specifier)]
    assert free == []


def test_uvicorn_is_bounded_above() -> None:
    """The gateway builds on its inner names: tests/gateway/test_uvicorn_names.py."""
    (uvicorn,) = [one for one in NEEDED if one.name == "uvicorn"]
    assert {specifier.operator for specifier in uvicorn.specifier} == {">=", "<"}


def test_the_lock_fits_the_bounds() -> None:
    """Every direct dependency is locked, to a version that is allowed (`make lock` writes it)."""
    versions = locked()
    outside = [
        f"{one.name} {version}"
        for one in (*BUILD, *NEEDED, *DEV)
        for version in versions.get(one.name, {"is missing"})
        if version == "is missing" or version not in one.specifier
    ]
    assert outside == []


def test_the_lock_names_no_index() -> None:
    """Where packages come from is the machine's configuration; a line is a name, a version and a marker."""
    assert [line for line in LOCK if not re.fullmatch(r"[a-z0-9.-]+==[^ ]+( ; .+)?", line)] == []


def test_every_package_says_that_it_is_typed() -> None:
    """Without py.typed a type checker takes everything that is imported from the wheel for Any."""
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert [name for name in packages if not (ROOT / name / "py.typed").exists()] == []
    assert set(packages) <= set(PROJECT["tool"]["mypy"]["packages"])
