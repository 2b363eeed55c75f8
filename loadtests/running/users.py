"""Locust's users: one per sending process, whose only task is that process's share of the plan."""

from __future__ import annotations

from typing import Any

from locust import User, task


class PlanUser(User):
    """Sends the plan. Open and closed loop alike: the greenlets inside are our own, one per request in
    flight."""

    fixed_count = 0

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._conductor = environment.headroom

    @task
    def send(self) -> None:
        """The whole run."""
        self._conductor.send()

    def on_stop(self) -> None:
        """Stopped from outside, or done."""
        self._conductor.stop_sending()
