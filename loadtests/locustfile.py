"""The one locustfile: `locust` from the repository root, or `locust -f loadtests/locustfile.py --headless
…`."""

from loadtests.hooks import install
from loadtests.running.shape import PlanShape
from loadtests.running.users import PlanUser

__all__ = ["PlanShape", "PlanUser"]

install()
