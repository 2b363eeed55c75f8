"""The one load shape: a user per sending process until every request has its record."""

from __future__ import annotations

from typing import cast

from locust import LoadTestShape

from loadtests.running.locust_types import LocustEnvironment


class PlanShape(LoadTestShape):
    """Locust asks every second; its second question is answered when the run is over: it ends at once."""

    def tick(self) -> tuple[int, float] | None:
        """(users, users per second), then None."""
        runner = self.runner
        assert runner is not None
        conductor = cast("LocustEnvironment", runner.environment).headroom
        if runner.shape_last_tick is None:
            return conductor.senders(), 100.0
        conductor.wait_done()
        return None
