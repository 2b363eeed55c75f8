"""The settings whose effect is predicted when nobody names some: around the one in force."""

from __future__ import annotations

from dataclasses import replace

from experiments.spec.setting import Setting
from experiments.tuning.candidates import LADDER, queue_timeout_s
from experiments.twin.profile import Profile
from gateway.limits import Limits, QueueMode
from loadtests.slo import SLO

FEWER, MORE = 4, 4
"""Slots from a quarter of today's to four times as many."""
QUEUES = (8, 100)
PATIENT = 4.0
"""Times the wait that still leaves time for the first token."""


def settings_around(present: Setting, profile: Profile, slo: SLO, prompt_tokens: int) -> tuple[Setting, ...]:
    """The present one first; then slots of the ladder, with queues short and long, and waits that the
    objective allows or that are patient. prompt_tokens: of a long prompt, whose own first token takes that
    long."""
    now = present.limits
    fitting_s = queue_timeout_s(profile, slo, prompt_tokens)
    slots = {
        n
        for n in LADDER
        if now.max_active / FEWER <= n <= now.max_active * MORE and n <= profile.max_num_seqs
    }
    waits_s = sorted({now.queue_timeout_s, fitting_s, round(PATIENT * fitting_s, 2)})
    queues = sorted({now.queue_max, *QUEUES})
    base = replace(now, queue_mode=QueueMode.QUEUE, version=Limits().version)
    found = [present]
    for n in sorted({now.max_active, *slots}):
        found += [
            Setting(replace(base, max_active=n, queue_max=queue, queue_timeout_s=wait_s))
            for queue in queues
            for wait_s in waits_s
        ]
    return tuple({setting.name: setting for setting in found}.values())
