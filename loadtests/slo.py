"""The service level objective: thresholds each request is judged by, and the share that has to meet them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loadtests.bounds import WrongValueError
from loadtests.outcome import Outcome

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from loadtests.record import RequestRecord

DEFAULT = "ttft<=1s,tpot<=60ms,attainment>=0.95"
_TERM = re.compile(
    r"(ttft|ttfv|tpot|e2e)\s*<=?\s*([0-9.]+(?:e-?[0-9]+)?)\s*(ms|s|us)\Z"
    r"|(attainment)\s*>=?\s*([0-9.]+)(%?)\Z"
)
_ALLOWED = "ttft<=TIME, ttfv<=TIME, tpot<=TIME, e2e<=TIME (in ms or s) or attainment>=SHARE"
_UNIT_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


@dataclass(frozen=True, slots=True)
class SLO:
    """Upper bounds in seconds, each may be None (not asked); `attainment` is a share
    of the *offered* requests. ttfv_s: to the first visible token, one that is not reasoning."""

    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None
    attainment: float = 0.95
    ttfv_s: float | None = None

    def __str__(self) -> str:
        terms = [f"{name.removesuffix('_s')}<={_span(bound)}" for name, bound in self.bounds.items()]
        return ",".join([*terms, f"attainment>={self.attainment:g}"])

    @staticmethod
    def parse(text: str) -> SLO:
        """Read `ttft<=1s,tpot<=60ms,e2e<=20s,attainment>=0.95`: any of the terms, in any order, each once.

        Raises WrongValueError with the term at fault and what is allowed.
        """
        terms: dict[str, float] = {}
        for term in (raw.strip() for raw in text.split(",")):
            key, value = _read_term(term)
            if key in terms:
                raise _wrong(f"SLO term {term!r}: {key.removesuffix('_s')} is given twice")
            terms[key] = value
        if not terms.keys() - {"attainment"}:
            raise _wrong(f"SLO {text!r}: needs at least one of ttft, ttfv, tpot, e2e")
        return SLO(**terms)

    def scaled(self, factor: float) -> SLO:
        """The same objective with every time bound multiplied by `factor`; the attainment stays.

        Raises ValueError unless factor > 0.
        """
        if not factor > 0:
            raise ValueError(f"an SLO can only be scaled by a factor > 0, got {factor}")

        def times(bound: float | None) -> float | None:
            return None if bound is None else bound * factor

        return replace(
            self,
            ttft_s=times(self.ttft_s), ttfv_s=times(self.ttfv_s), tpot_s=times(self.tpot_s),
            e2e_s=times(self.e2e_s),
        )  # fmt: skip

    @property
    def bounds(self) -> dict[str, float]:
        """The times that are asked for: name of the latency → upper bound in seconds."""
        asked = {"ttft_s": self.ttft_s, "ttfv_s": self.ttfv_s, "tpot_s": self.tpot_s, "e2e_s": self.e2e_s}
        return {name: bound for name, bound in asked.items() if bound is not None}

    @property
    def needs(self) -> tuple[str, ...]:
        """The moments that an answer must have: a bound on TTFT or TPOT is not met without a single token,
        one on TTFV not without a visible one."""
        moments = []
        if self.ttft_s is not None or self.tpot_s is not None:
            moments.append("first_s")
        if self.ttfv_s is not None:
            moments.append("visible_s")
        return tuple(moments)

    def judge(self, record: RequestRecord) -> bool:
        """Whether the request was served within every bound; `judge_columns` is the same for columns.

        Anything but outcome `ok` is not, nor is an answer without the token that a bound is on. An answer of
        one token has no TPOT, and its bound does not count against it.
        """
        if record.outcome is not Outcome.OK or any(getattr(record, name) is None for name in self.needs):
            return False
        times = ((getattr(record, name), bound) for name, bound in self.bounds.items())
        return all(value is None or value <= bound for value, bound in times)

    def judge_columns(
        self, ok: NDArray[np.bool_], column: Callable[[str], NDArray[np.float64]]
    ) -> NDArray[np.bool_]:
        """`judge` of n requests (n,).

        Args:
            ok: which ended with outcome `ok` (n,).
            column: a moment or a latency by name, seconds, nan where there is none (n,).
        """
        import numpy as np  # an objective is on every command line, columns are not

        good = ok.copy()
        for moment in self.needs:
            good &= ~np.isnan(column(moment))
        for name, bound in self.bounds.items():
            # `not >` lets nan pass, as judge does.
            good &= ~(column(name) > bound)
        return good


def _read_term(term: str) -> tuple[str, float]:
    """Field and value (seconds or share) of one term."""
    match = _TERM.match(term.lower())
    if match is None:
        raise _wrong(f"SLO term {term!r}: must be {_ALLOWED}")
    name, number, unit, share, share_number, percent = match.groups()
    try:
        value = float(number) * _UNIT_S[unit] if name else float(share_number) / (100 if percent else 1)
    except ValueError:
        raise _wrong(f"SLO term {term!r}: {number or share_number!r} is not a number") from None
    if not value > 0 or (share and value > 1):
        raise _wrong(f"SLO term {term!r}: times must be > 0, attainment in (0, 1]")
    return (f"{name}_s" if name else share), value


def _wrong(sentence: str) -> WrongValueError:
    return WrongValueError("slo", sentence, sentence)


def _span(seconds: float) -> str:
    return f"{seconds:.6g}s" if seconds >= 1 else f"{seconds * 1e3:.6g}ms"
