"""What was observed → what it means: causes in order, each with its evidence, or nothing unusual.

A rule per cause tells how much of the trouble it can explain (as the logarithm of the extra work or time, so
that parts add up) and how sure it is that it happened: by its size beside the scatter of comparable
stretches, and by what must go with it. They are ranked by the product. Nothing is claimed where nobody was
served worse than usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.explain import engine_rules, harm, traffic_rules
from reports.explain.bounds import Bound, bounds
from reports.explain.case import Case
from reports.explain.cause import Cause, Finding
from reports.explain.harm import Harm
from reports.explain.observed import Observed

LEAST = 0.08
"""Of a score, to be told as a cause."""

_RULES = (
    traffic_rules.burst,
    traffic_rules.retries,
    traffic_rules.cancelling,
    traffic_rules.flood,
    traffic_rules.full_queue,
    traffic_rules.longer_answers,
    traffic_rules.long_prompts,
    traffic_rules.cache_lost,
    traffic_rules.slow_readers,
    engine_rules.preempted,
    engine_rules.throttled,
    engine_rules.gpu_shared,
    engine_rules.restarted,
    engine_rules.limits_changed,
    engine_rules.gateway_starved,
)
_MAKE_SLOWER = (
    *(Cause.PREEMPTION, Cause.THROTTLED, Cause.GPU_SHARED, Cause.RESTART, Cause.GATEWAY_STARVED),
    *(Cause.SLOW_READERS, Cause.LONG_PROMPTS, Cause.CACHE_LOST),
)
"""Causes that show as a slower engine, which therefore is none of its own."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """causes: the likeliest first. without_effect: what changed too, while nothing got worse of it or too
    little to matter. bounds: what was used up while it was bad."""

    harm: Harm
    causes: Sequence[Finding]
    without_effect: Sequence[Finding]
    bounds: Sequence[Bound] = ()

    @property
    def headline(self) -> str:
        """One sentence."""
        if not self.harm.any:
            return "Nothing unusual."
        if not self.causes:
            return "It was worse than usual, and nothing that was looked at says why."
        first = self.causes[0]
        words = first.cause.words
        return f"{words[0].upper()}{words[1:]}{f' ({first.who})' if first.who else ''}."

    def share(self, finding: Finding) -> float:
        """Of all that the causes explain, 0 to 1."""
        return finding.score / sum(one.score for one in self.causes)


def judge(observed: Observed) -> Judgement:
    """Needs comparable stretches: see `stretches.FEWEST`."""
    found = harm.look(observed)
    case = Case(observed, found)
    findings = [one for one in (rule(case) for rule in _RULES) if one is not None]
    slower = sum(one.score for one in findings if one.cause in _MAKE_SLOWER)
    rest = engine_rules.slow_engine(case, slower)
    findings += [rest] if rest is not None else []
    findings = [one for one in findings if one.certainty >= 0.2 and one.weight > 0]
    ranked = sorted(findings, key=lambda one: -one.score)
    told = [one for one in ranked if one.score >= LEAST] if found.any else []
    full = bounds(case) if found.any else []
    return Judgement(found, told, [one for one in ranked if one not in told], full)
