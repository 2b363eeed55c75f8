"""Load classes: the kinds of request that one load mixes, each with its share, lengths, objective, lane."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from loadtests.bounds import WrongValueError
from loadtests.planning.workloads import PROFILES, fixed_lengths
from loadtests.slo import SLO

ROUNDING = 0.01
"""By so much the shares of a mix may miss 1: thirds are typed as 0.33. They are scaled to 1."""
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"
_CLASS = re.compile(
    rf"(?P<name>{_NAME})(?:=(?P<workload>{_NAME}))?:(?P<share>[0-9.]+)"
    rf"(?:@(?P<tenant>{_NAME})?(?:/(?P<priority_class>{_NAME}))?)?\Z"
)
_WRITE = (
    "write NAME:SHARE or NAME=WORKLOAD:SHARE, with @TENANT or @TENANT/PRIORITY behind it where it has a "
    "lane, such as chat:0.9,agent-long:0.1 or short=64x24:0.7@alice/interactive,long=512x64:0.3@bob"
)


@dataclass(frozen=True, slots=True)
class LoadClass:
    """A kind of request in a load.

    name: what plan, records and report call it. share: of the requests, above 0; those of a mix sum to 1.
    workload: `512x128` (tokens of prompt and answer), or a profile such as `chat`. tenant, priority_class:
    its lane at the gateway, sent as headers, "" for none. slo: its own objective, None for the common one.
    """

    name: str
    share: float
    workload: str
    tenant: str = ""
    priority_class: str = ""
    slo: SLO | None = None

    @property
    def lane_headers(self) -> dict[str, str]:
        """What a client that the gateway trusts says of the lane."""
        named = {"x-headroom-tenant": self.tenant, "x-headroom-class": self.priority_class}
        return {name: value for name, value in named.items() if value}

    def __str__(self) -> str:
        workload = "" if self.workload == self.name else f"={self.workload}"
        priority = f"/{self.priority_class}" if self.priority_class else ""
        lane = f"@{self.tenant}{priority}" if self.tenant or priority else ""
        return f"{self.name}{workload}:{self.share:g}{lane}"

    def to_json(self) -> dict[str, str | float]:
        """As a plan has it: without the objective, which the same arrivals may be judged by another of."""
        return {
            "name": self.name,
            "share": self.share,
            "workload": self.workload,
            "tenant": self.tenant,
            "priority_class": self.priority_class,
        }


def parse_mix(text: str) -> tuple[LoadClass, ...]:
    """`chat:0.9,agent-long:0.1` → those classes, () for an empty text.

    Raises WrongValueError in one sentence.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return whole_mix([_parsed(part) for part in parts]) if parts else ()


def _parsed(part: str) -> LoadClass:
    match = _CLASS.match(part)
    try:
        share = float(match["share"]) if match is not None else None
    except ValueError:
        share = None
    if match is None or share is None:
        raise _wrong(f"load class {part!r}: {_WRITE}")
    name, lane = match["name"], (match["tenant"] or "", match["priority_class"] or "")
    return LoadClass(name, share, match["workload"] or name, *lane)


def whole_mix(classes: Sequence[LoadClass]) -> tuple[LoadClass, ...]:
    """The classes with shares that sum to 1 exactly.

    Raises WrongValueError in one sentence: a name, a share or a workload that cannot be, a name given twice,
    or shares that miss 1 by more than a rounding.
    """
    for one in classes:
        _check(one)
    names = [one.name for one in classes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise _wrong(f"load class {twice[0]!r} is given twice")
    total = sum(one.share for one in classes)
    if abs(total - 1) > ROUNDING + 1e-9:
        shares = " + ".join(f"{one.share:g}" for one in classes)
        raise _wrong(f"the shares of the load classes sum to {total:.4g} ({shares}): they must sum to 1")
    if total == 1:
        return tuple(classes)
    return tuple(replace(one, share=one.share / total) for one in classes)


def mix_text(classes: Sequence[LoadClass]) -> str:
    """As it can be typed."""
    return ",".join(map(str, classes))


def _check(one: LoadClass) -> None:
    for what, value in (("name", one.name), ("tenant", one.tenant), ("priority class", one.priority_class)):
        if not re.fullmatch(_NAME, value) and (value or what == "name"):
            raise _wrong(
                f"load class {one.name!r}: the {what} {value!r} must be up to 40 letters, digits and any of "
                "_ . -"
            )
    if not 0 < one.share <= 1 + ROUNDING:
        raise _wrong(f"load class {one.name!r}: its share {one.share:g} must be above 0 and at most 1")
    if one.workload not in PROFILES and fixed_lengths(one.workload) is None:
        raise _wrong(
            f"load class {one.name!r}: the workload {one.workload!r} must be PROMPTxOUTPUT in tokens, such "
            f"as 512x128, or one of {', '.join(PROFILES)}"
        )


def _wrong(sentence: str) -> WrongValueError:
    return WrongValueError("mix", sentence, f"mix: {sentence}")


def from_json(row: Mapping[str, str | float]) -> LoadClass:
    """The inverse of `LoadClass.to_json`. Raises TypeError or KeyError for something else."""
    name, workload, tenant, priority = (
        str(row[key]) for key in ("name", "workload", "tenant", "priority_class")
    )
    return LoadClass(name, float(row["share"]), workload, tenant, priority)
