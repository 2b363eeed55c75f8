"""The one locustfile. From the repository root `locust` finds it; elsewhere `-f loadtests/locustfile.py`."""

from loadtests.hooks import install
from loadtests.running.shape import PlanShape
from loadtests.running.users import PlanUser

__all__ = ["PlanShape", "PlanUser"]

install()
