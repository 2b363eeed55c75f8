"""The service level objective: thresholds each request is judged by, and the share that has to meet them; for
each load class its own, where there are several."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
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
    r"(ttft|ttfv|tpot|e2e|session)\s*<=?\s*([0-9.]+(?:e-?[0-9]+)?)\s*(ms|s|us)\Z"
    r"|(attainment)\s*>=?\s*([0-9.]+)(%?)\Z"
)
_CLASS = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*:")
_ALLOWED = "ttft<=TIME, ttfv<=TIME, tpot<=TIME, e2e<=TIME, session<=TIME (in ms or s) or attainment>=SHARE"
_UNIT_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


@dataclass(frozen=True, slots=True)
class SLO:
    """Upper bounds in seconds, each may be None (not asked); `attainment` is a share
    of the *offered* requests. ttfv_s: to the first visible token, one that is not reasoning. classes: the
    objectives of load classes that have one of their own, which have no classes; all other requests are
    judged by the bounds here. session_s: a session is good if all its requests were served and the last
    answer was in so long after it began, pauses included; None: if each of them met its bounds."""

    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None
    attainment: float = 0.95
    ttfv_s: float | None = None
    classes: tuple[tuple[str, SLO], ...] = ()
    session_s: float | None = None

    def __str__(self) -> str:
        terms = [f"{name.removesuffix('_s')}<={_span(bound)}" for name, bound in self.bounds.items()]
        if self.session_s is not None:
            terms.append(f"session<={_span(self.session_s)}")
        common = ",".join([*terms, f"attainment>={self.attainment:g}"])
        return ";".join([common, *(f"{name}:{own}" for name, own in self.classes)])

    @staticmethod
    def parse(text: str) -> SLO:
        """Read `ttft<=1s,tpot<=60ms,e2e<=20s,attainment>=0.95`: any of the terms, in any order, each once;
        then, after a semicolon each, load classes with an objective of their own: `;agent-long:ttft<=20s`.

        Raises WrongValueError with the term at fault and what is allowed.
        """
        common, *parts = text.split(";")
        if _CLASS.match(common):
            raise _wrong(
                f"SLO {text!r}: begin with the objective of all other requests, then "
                "';NAME:TERMS' for each load class with one of its own"
            )
        own: dict[str, SLO] = {}
        for part in parts:
            match = _CLASS.match(part)
            if match is None:
                raise _wrong(f"SLO part {part!r}: write NAME:TERMS, such as agent-long:ttft<=20s")
            if match[1] in own:
                raise _wrong(f"SLO: load class {match[1]!r} is given twice")
            own[match[1]] = SLO._parse_one(part[match.end() :])
        return replace(SLO._parse_one(common), classes=tuple(own.items()))

    @staticmethod
    def _parse_one(text: str) -> SLO:
        terms: dict[str, float] = {}
        for term in (raw.strip() for raw in text.split(",")):
            key, value = _read_term(term)
            if key in terms:
                raise _wrong(f"SLO term {term!r}: {key.removesuffix('_s')} is given twice")
            terms[key] = value
        if not terms.keys() - {"attainment"}:
            raise _wrong(f"SLO {text!r}: needs at least one of ttft, ttfv, tpot, e2e, session")
        return SLO(attainment=terms.pop("attainment", 0.95)).with_bounds(terms)

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
            e2e_s=times(self.e2e_s), session_s=times(self.session_s),
            classes=tuple((name, own.scaled(factor)) for name, own in self.classes),
        )  # fmt: skip

    def with_bounds(self, bounds_s: Mapping[str, float]) -> SLO:
        """With these bounds, by their names as in `bounds`, and `session_s`, in place of its own."""
        return replace(
            self,
            ttft_s=bounds_s.get("ttft_s", self.ttft_s),
            ttfv_s=bounds_s.get("ttfv_s", self.ttfv_s),
            tpot_s=bounds_s.get("tpot_s", self.tpot_s),
            e2e_s=bounds_s.get("e2e_s", self.e2e_s),
            session_s=bounds_s.get("session_s", self.session_s),
        )

    def of(self, load_class: str) -> SLO:
        """What the requests of a load class are judged by: its own objective, else the common one."""
        return dict(self.classes).get(load_class, self.common)

    @property
    def common(self) -> SLO:
        """The objective of every request whose class has none of its own."""
        return replace(self, classes=()) if self.classes else self

    def for_classes(self, names: Iterable[str], own: Mapping[str, SLO] | None = None) -> SLO:
        """With an objective for each of these load classes: the one that is named here, else that of `own`,
        else the common one.

        Raises WrongValueError where this one names a class that is none of them.
        """
        known, here = list(names), dict(self.classes)
        for name in here:
            if name not in known:
                raise _wrong(f"SLO: there is no load class {name!r}; it is one of {', '.join(known)}")
        chosen = {name: here.get(name) or (own or {}).get(name) or self.common for name in known}
        return replace(self, classes=tuple(chosen.items()))

    @property
    def every(self) -> tuple[SLO, ...]:
        """The objectives that requests are judged by: those of the load classes, or the common one."""
        return tuple(own for _, own in self.classes) or (self,)

    @property
    def longest_ttft_s(self) -> float | None:
        """The longest TTFT that any request may have and still be in time; None where none is bounded."""
        return max((own.ttft_s for own in self.every if own.ttft_s is not None), default=None)

    def level(self, share: float, of_classes: Mapping[str, float]) -> float:
        """A share that reaches `attainment` just where the objective is met: `share` of all requests, or of
        several load classes (name → share of its requests) by how much the worst is above its own."""
        margins = [of_classes[name] - own.attainment for name, own in self.classes if name in of_classes]
        return self.attainment + min(margins) if margins else share

    @property
    def bounds(self) -> dict[str, float]:
        """The times that are asked for: name of the latency → upper bound in seconds; of the common
        objective."""
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
        """Whether the request was served within every bound of its class; `judge_columns` is the same for
        columns.

        Anything but outcome `ok` is not, nor is an answer without the token that a bound is on. An answer of
        one token has no TPOT, and its bound does not count against it.
        """
        if self.classes:
            return self.of(record.cls).judge(record)
        if record.outcome is not Outcome.OK or any(getattr(record, name) is None for name in self.needs):
            return False
        times = ((getattr(record, name), bound) for name, bound in self.bounds.items())
        return all(value is None or value <= bound for value, bound in times)

    def judge_columns(
        self,
        ok: NDArray[np.bool_],
        column: Callable[[str], NDArray[np.float64]],
        of_class: Callable[[str], NDArray[np.bool_]] | None = None,
    ) -> NDArray[np.bool_]:
        """`judge` of n requests (n,).

        Args:
            ok: which ended with outcome `ok` (n,).
            column: a moment or a latency by name, seconds, nan where there is none (n,).
            of_class: which belong to a load class, by its name (n,); needed where a class has its own
                objective.
        """
        if self.classes:
            assert of_class is not None, "an objective of classes needs to know whose each request is"
            good = self.common.judge_columns(ok, column)
            for name, own in self.classes:
                mine = of_class(name)
                good = (good & ~mine) | (own.judge_columns(ok, column) & mine)
            return good
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
