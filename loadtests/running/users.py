"""Locust's users: one per sending process, whose only task is that process's share of the plan."""

from __future__ import annotations

from locust import User, task
from locust.exception import StopUser

from loadtests.running.locust_types import LocustEnvironment


class PlanUser(User):
    """Sends the plan, in open and closed loop: the greenlets inside are ours, one per request in flight."""

    fixed_count = 0

    def __init__(self, environment: LocustEnvironment) -> None:
        super().__init__(environment)
        self._conductor = environment.headroom

    @task
    def send(self) -> None:
        """The whole share, once."""
        sending = self._conductor.sending
        if sending is not None:
            sending.send()
        raise StopUser

    def on_stop(self) -> None:
        """Done, or stopped from outside."""
        sending = self._conductor.sending
        if sending is not None:
            sending.user_stopped()
