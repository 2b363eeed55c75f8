"""The one locustfile: `locust` from the repository root, or `locust -f loadtests/locustfile.py --headless
…`."""

from loadtests.hooks import install
from loadtests.shape import PlanShape
from loadtests.users import PlanUser

__all__ = ["PlanShape", "PlanUser"]

install()
