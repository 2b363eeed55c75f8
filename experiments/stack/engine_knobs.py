"""The engine's own limits that a sweep varies: values, vLLM's flags, and whether a vLLM has those."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from experiments.errors import UserError

DESCRIPTION = "description"
"""Key of a field's metadata: what the limit is, for help texts."""


def _limit(description: str) -> int | None:
    """A field that is not set unless it is given."""
    default: int | None = field(default=None, metadata={DESCRIPTION: description})
    return default


@dataclass(frozen=True, slots=True)
class EngineKnobs:
    """Limits that an engine is started with; None leaves one as the engine has it."""

    max_num_seqs: int | None = _limit("the engine's largest batch, sequences")
    max_num_batched_tokens: int | None = _limit("the engine's largest step, tokens")
    max_num_queued_reqs: int | None = _limit(
        "unfinished requests, running and waiting, beyond which vLLM answers 503"
    )

    def given(self) -> dict[str, int]:
        """The knobs that are set, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of(cls, values: Mapping[str, object]) -> EngineKnobs:
        """Knobs given by name; those that are not named are left as the engine has them.

        Raises:
            ValueError: a name is no knob, or a value no whole number.
        """
        if wrong := [f"{k}={v!r}" for k, v in values.items() if k not in NAMES or not isinstance(v, int)]:
            raise ValueError(f"{wrong[0]} is no limit of an engine")
        return cls(*(value if isinstance(value := values.get(name), int) else None for name in NAMES))

    def flags(self) -> list[str]:
        """As arguments of vLLM, which the emulator takes too."""
        return [word for name, value in self.given().items() for word in (flag_of(name), str(value))]

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value}" for name, value in self.given().items())
        return given or "the engine's own limits"


NAMES = tuple(field.name for field in fields(EngineKnobs))


def flag_of(name: str) -> str:
    """`max_num_seqs` → `--max-num-seqs`."""
    return "--" + name.replace("_", "-")


def product(axes: Sequence[Sequence[int]]) -> tuple[EngineKnobs, ...]:
    """Every combination of the axes (in the order of `NAMES`), the last varying fastest; an empty
    axis is not set.
    """
    values: list[Sequence[int | None]] = [axis or (None,) for axis in axes]
    return tuple(dict.fromkeys(EngineKnobs(*combination) for combination in itertools.product(*values)))


def require_flags(knobs: Sequence[EngineKnobs], python: Path) -> None:
    """See that the vLLM of this interpreter knows every flag that `knobs` need.

    Its argument table is read as text: importing it takes ten seconds. Where there is none to read, the
    engine's own start will tell.

    Raises:
        UserError: it lacks one.
    """
    tables = sorted(python.parents[1].glob("lib/python3*/site-packages/vllm/engine/arg_utils.py"))
    if not tables:
        return
    text = tables[0].read_text(encoding="utf-8", errors="replace")
    for name in dict.fromkeys(name for started_with in knobs for name in started_with.given()):
        if f'"{flag_of(name)}"' not in text:
            raise UserError(
                f"{name}: the installed vLLM has no {flag_of(name)}; leave it out or install a newer vLLM"
            )
