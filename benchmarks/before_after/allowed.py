"""Differences that are meant: patterns of paths, each with its reason."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from experiments.errors import UserError


@dataclass(frozen=True, slots=True)
class Allowed:
    """`reasons`: pattern of paths (`*` stands for anything, `/` included) → why they may differ."""

    reasons: dict[str, str]

    def reason(self, path: str) -> str | None:
        """Why this path may differ; None where it must not."""
        return next((why for pattern, why in self.reasons.items() if fnmatchcase(path, pattern)), None)

    def unused(self, paths: Iterable[str]) -> list[str]:
        """Patterns that none of the differing paths needs."""
        differing = list(paths)
        return [p for p in self.reasons if not any(fnmatchcase(path, p) for path in differing)]


def read(path: Path) -> Allowed:
    """The table `[allowed]` of a TOML file: `"pattern" = "reason"`.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--allow {path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"--allow {path} is not TOML: {error}") from None
    reasons = found.get("allowed")
    if set(found) != {"allowed"} or not isinstance(reasons, dict):
        raise UserError(f'--allow {path}: expected one table [allowed] with lines "pattern" = "reason"')
    if not all(isinstance(why, str) and why.strip() for why in reasons.values()):
        raise UserError(f"--allow {path}: every pattern needs a reason")
    return Allowed(reasons)
