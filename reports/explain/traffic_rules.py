"""Causes that come with the requests: how many, whose, how long, and what becomes of them."""

from __future__ import annotations

from math import log

from reports.explain.case import Added, Case, grown, part, sure
from reports.explain.cause import Cause, Finding
from reports.explain.signal import Signal, Unit
from reports.explain.written import beside

_LEAST_SHARE = 0.25
"""Of the weight of what one lane does: it is as bad for that lane, however few its requests are."""


def burst(case: Case) -> Finding | None:
    """Very many within a moment: the highest ten seconds stand out, and what came more came within a minute
    and a half."""
    peak, within = case.burst
    if not case.is_short:
        return None
    text = beside("most requests in ten seconds", Unit.COUNT, peak)
    share = f"{within:.0%} of what came more than usual came within a minute and a half"
    return Finding(Cause.BURST, log(peak.ratio), case.is_short, (text, share))


def retries(case: Case) -> Finding | None:
    """What had failed came again: same lane, session and size, within a minute."""
    again = case.change(Signal.RETRIES)
    if not again.known or again.more <= 0 or not case.rate.usual > 0:
        return None
    of_added = again.more / max(case.rate.more, again.more)
    certainty = sure(again.z) * part(of_added, 0.15, 0.4)
    weight = log(1 + again.more / case.rate.usual)
    return Finding(
        Cause.RETRY_STORM, weight, certainty, (case.says(Signal.RETRIES), case.says(Signal.OFFERED))
    )


def cancelling(case: Case) -> Finding | None:
    """Requests were left sooner than a usual answer takes: whoever leaves because it is slow leaves late."""
    early = case.change(Signal.LEFT_EARLY)
    if not early.known or early.more <= 0 or not case.rate.usual > 0:
        return None
    weight = log(1 + early.more / case.rate.usual)
    evidence = (case.says(Signal.LEFT_EARLY), case.says(Signal.LEFT))
    return Finding(Cause.CANCELLING, weight, sure(early.z), evidence)


def flood(case: Case) -> Finding | None:
    """One lane asked for most of what came more, and others did not grow like it."""
    top = _top(case)
    if top is None or not case.rate.usual > 0:
        return None
    weight = log(1 + top.change.more / case.rate.usual)
    certainty = sure(top.change.z) * _alone(case, top) * (1 - case.is_short)
    text = beside(f"{top.name} asked for", Unit.PER_S, top.change)
    share = f"{top.of_all:.0%} of what all lanes asked for more"
    return Finding(Cause.TENANT_FLOOD, weight, certainty, (text, share), top.name)


def _top(case: Case) -> Added | None:
    rows = case.observed.rows
    return None if rows is None else case.most_added(rows.lanes.offered)


def _alone(case: Case, top: Added) -> float:
    """How sure it is that one lane grew, and not all of them: by its share of what was added, beyond its
    usual share of all."""
    usual = top.change.usual / case.rate.usual
    return part((top.of_all - usual) / max(1 - usual, 0.05), 0.35, 0.65)


def full_queue(case: Case) -> Finding | None:
    """More of everything, by everybody: what is left of the rate when floods, retries and leavers are taken
    away."""
    if not case.rate.known or not case.rate.usual > 0:
        return None
    more = case.rate.more - case.change(Signal.RETRIES).more - case.change(Signal.LEFT_EARLY).more
    top = _top(case)
    if top is not None:
        more -= _alone(case, top) * min(top.change.more, max(more, 0.0))
    weight = log(1 + max(0.0, more) / case.rate.usual)
    evidence = [case.says(Signal.OFFERED)]
    evidence += [case.says(one) for one in (Signal.REFUSED, Signal.QUEUE_FULL) if case.observed.has(one)]
    return Finding(Cause.FULL_QUEUE, weight, sure(case.rate.z) * (1 - case.is_short), tuple(evidence))


def longer_answers(case: Case) -> Finding | None:
    """Answers grew, of all or of one lane: each holds its slot for longer in proportion."""
    output, rows = case.change(Signal.OUTPUT), case.observed.rows
    weight, certainty = case.decode_part * grown(output), sure(output.z)
    evidence, who = [case.says(Signal.OUTPUT)], ""
    one = None if rows is None else case.longest(rows.lanes.outputs)
    if one is not None and sure(one.change.z):
        own = case.decode_part * grown(one.change) * max(one.of_all, _LEAST_SHARE)
        if own * sure(one.change.z) > weight * certainty:
            weight, certainty, who = own, sure(one.change.z) * part(grown(one.change), 0.2, 0.5), one.name
            evidence.append(beside(f"{who}'s answers, mean", Unit.TOKENS, one.change))
    return Finding(Cause.LONGER_ANSWERS, weight, certainty, tuple(evidence), who)


def long_prompts(case: Case) -> Finding | None:
    """Prompts grew. Each is computed between the steps of all others, so it slows their answers too."""
    prompt, tokens = case.change(Signal.PROMPT), case.change(Signal.PROMPT_RATE)
    if not prompt.known:
        return None
    evidence, who = [case.says(Signal.PROMPT), case.says(Signal.PROMPT_RATE)], ""
    top = None if case.observed.rows is None else case.most_added(case.observed.rows.lanes.prompts)
    if top is not None and top.of_all > 0.6:
        who = top.name
        evidence.append(f"{top.of_all:.0%} of the prompt tokens that came more were {who}'s")
    moved = max(grown(case.change(Signal.PREFILL)) * (1 - case.decode_part), grown(case.change(Signal.TPOT)))
    weight = min(grown(tokens), grown(prompt) + 0.1) * part(moved, 0.0, 0.25)
    return Finding(Cause.LONG_PROMPTS, weight, min(sure(prompt.z), sure(tokens.z)), tuple(evidence), who)


def cache_lost(case: Case) -> Finding | None:
    """The engine found fewer of the prompts' tokens in its cache: it computes what it had not to."""
    hits = case.change(Signal.CACHE_HITS)
    if not hits.known or hits.value >= hits.usual:
        return None
    weight = log((1 - hits.value) / max(1 - hits.usual, 0.02))
    moved = max(grown(case.change(Signal.PREFILL)), grown(case.change(Signal.TPOT)))
    evidence = [case.says(Signal.CACHE_HITS), case.says(Signal.PREFILL)]
    shared = case.change(Signal.SHARED_PREFIX)
    if shared.known:
        same = shared.value > 0.8 * shared.usual
        evidence.append(
            "prompts begin alike as often as before: the cache forgot"
            if same
            else case.says(Signal.SHARED_PREFIX)
        )
    certainty = sure(-hits.z) * part(moved, 0.05, 0.25)
    return Finding(Cause.CACHE_LOST, weight, certainty, tuple(evidence))


def slow_readers(case: Case) -> Finding | None:
    """Some answers took far longer than those beside them at the same time, and the engine's own pace was as
    usual: they were held up on the way to their readers."""
    held = case.change(Signal.SLOW_HOLD)
    if not held.known or held.more <= 0:
        return None
    weight = -log(max(1 - min(held.more, 0.95), 0.05))
    evidence, who = [case.says(Signal.SLOW_HOLD)], ""
    if case.observed.has(Signal.ENGINE_GAP):
        evidence.append(case.says(Signal.ENGINE_GAP))
    top = None if case.observed.rows is None else case.most_added(case.observed.rows.lanes.slow_s)
    if top is not None and top.of_all > 0.6:
        who = top.name
        evidence.append(f"{top.of_all:.0%} of that time was {who}'s")
    certainty = sure(held.z) * part(held.more, 0.03, 0.1) * (1 - engine_slower(case, 0.5, 1.0))
    return Finding(Cause.SLOW_READERS, weight, certainty, tuple(evidence), who)


def engine_slower(case: Case, low: float, high: float) -> float:
    """How sure it is, 0 to 1, that the engine itself was slower for one answer: not by a logarithm of `low`,
    surely by one of `high`. 0 where it does not tell."""
    gap = case.change(Signal.ENGINE_GAP)
    return part(grown(gap), low, high) * sure(gap.z)
