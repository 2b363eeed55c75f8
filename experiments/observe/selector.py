"""Which series of a Prometheus are meant: label matchers, with which every query is written."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from experiments.errors import UserError

PARTS = ("gateway", "engine", "gpu")
"""What a sweep asks a Prometheus about."""

_VALUE = r'"(?:[^"\\\n]|\\.)*"' + r"|'(?:[^'\\\n]|\\.)*'"
_MATCHER = re.compile(rf"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*({_VALUE})\s*")
_GIVEN = re.compile(rf"\s*({'|'.join(PARTS)})?\s*\{{(.*)\}}\s*", re.DOTALL)
DCGM_NAME = re.compile(r"\bDCGM_\w+")
"""A name of dcgm-exporter's in PromQL."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Label matchers in PromQL, such as `job="gateway"`; without any it means all that there is."""

    matchers: tuple[str, ...] = ()

    @classmethod
    def equal(cls, labels: Mapping[str, str]) -> Selector:
        """What has exactly these values; an empty one: what does not have the label."""
        return cls(tuple(f"{name}={_quoted(value)}" for name, value in sorted(labels.items())))

    def of(self, metric: str, *more: str) -> str:
        """The series of a metric, with more matchers."""
        matchers = ",".join((*more, *self.matchers))
        return f"{metric}{{{matchers}}}" if matchers else metric

    def within(self, promql: str) -> str:
        """`promql` with every name of DCGM in it narrowed to these."""
        own = ",".join(self.matchers)
        if not own:
            return promql
        narrowed = rf"({DCGM_NAME.pattern})(\s*\{{)?"
        return re.sub(narrowed, lambda found: f"{found[1]}{{{own}" + ("," if found[2] else "}"), promql)

    def __str__(self) -> str:
        return f"{{{','.join(self.matchers)}}}"


@dataclass(frozen=True, slots=True)
class Scope:
    """The series that belong to this gateway, this engine and its GPU; None where there are none of them."""

    gateway: Selector = Selector()
    engine: Selector | None = Selector()
    gpu: Selector | None = Selector()


EVERYTHING = Scope()
"""Of a Prometheus that scrapes one gateway and one engine and nothing else."""


@dataclass(frozen=True, slots=True)
class GivenSelectors:
    """What the user said of whose series are whose: matchers by part; the empty part's are for every one."""

    by_part: tuple[tuple[str, Selector], ...] = ()

    @classmethod
    def parse(cls, texts: Sequence[str]) -> GivenSelectors:
        """From `namespace="team-a"`, `{job="x"}` or `engine{job="x"}`.

        Raises:
            UserError: something else.
        """
        return cls(tuple(_parsed(text) for text in texts))

    def of(self, part: str) -> Selector:
        """All that was said of `part`."""
        said = [one.matchers for name, one in self.by_part if name in ("", part)]
        return Selector(tuple(matcher for matchers in said for matcher in matchers))

    def written(self) -> tuple[tuple[str, Selector], ...]:
        """Each as it may be typed again, and what it selects."""
        return tuple((f"{part}{one}", one) for part, one in self.by_part)

    def names(self, part: str) -> bool:
        """Whether something was said of `part` alone."""
        return any(name == part for name, _ in self.by_part)


def only(labels: Mapping[str, str], among: Collection[Mapping[str, str]]) -> Selector:
    """What selects these labels of a target `among` others: where another has the same ones and more, the
    label that only it has is named as missing."""
    absent = {name: "" for other in among if labels.items() <= other.items() for name in other}
    return Selector.equal({**absent, **labels})


def _parsed(text: str) -> tuple[str, Selector]:
    found = _GIVEN.fullmatch(text)
    part, inside = (found[1] or "", found[2]) if found is not None else ("", text)
    matchers, at = [], 0
    while at < len(inside):
        matcher = _MATCHER.match(inside, at)
        if matcher is None:
            break
        matchers.append(f"{matcher[1]}{matcher[2]}{matcher[3]}")
        at = matcher.end()
        if at < len(inside) and inside[at] == ",":
            at += 1
            continue
        break
    if not matchers or inside[at:].strip():
        raise UserError(
            f"--prometheus-selector {text!r}: give label matchers of PromQL such as 'namespace=\"team-a\"', "
            "for one part 'engine{job=\"vllm-a\"}' ("
            f"{', '.join(PARTS)})"
        )
    return part, Selector(tuple(matchers))


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
