"""What is posted by a form, ours or Locust's: checked, planned, prepared, or refused in one sentence."""

from __future__ import annotations

import copy
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass

from loadtests import settings as run_settings
from loadtests.bounds import WrongValueError, wrong
from loadtests.planning.rate import RECORDED
from loadtests.planning.trace_files.trace import TraceError
from loadtests.running import logins
from loadtests.running.conductor import Conductor
from loadtests.running.locust_types import LocustEnvironment
from loadtests.settings import Settings
from loadtests.web import preview, target
from loadtests.web.preview import PlanPreview
from loadtests.web.target import TargetFacts

PLAN_HASH = "plan_hash"
"""Posted with a start: the hash of the plan that the page had drawn."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why it does not start. field: whose value is wrong, "" where it is about none of them; reason: for a
    place beside that field; sentence: for anywhere."""

    field: str
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """Either is None."""

    plan: PlanPreview | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class TargetAnswer:
    """Either is None."""

    target: TargetFacts | None
    problem: Problem | None


class Starting:
    """Turns forms into plans and runs."""

    def __init__(self, conductor: Conductor, environment: LocustEnvironment) -> None:
        self._conductor = conductor
        self._environment = environment

    def plan(self, form: Mapping[str, str]) -> PlanAnswer:
        """The plan that these values make; the target is not asked, and nothing is kept."""
        if self._conductor.busy():
            return PlanAnswer(None, _BUSY)
        try:
            return PlanAnswer(preview.preview(self._settings(form)), None)
        except (ValueError, OSError) as error:
            return PlanAnswer(None, problem(error))

    def target(self, form: Mapping[str, str]) -> TargetAnswer:
        """What the target says of itself."""
        try:
            return TargetAnswer(target.ask(self._settings(form)), None)
        except WrongValueError as error:
            found = problem(error)
            # What is wrong with the plan is told with the plan.
            return TargetAnswer(None, found if found.field == "host" else None)
        except (ValueError, OSError) as error:
            return TargetAnswer(None, Problem("host", str(error), str(error)))

    def prepare(self, form: Mapping[str, str]) -> Problem | None:
        """Everything short of the start itself; what is wrong, if anything is."""
        if self._conductor.busy():
            return _BUSY
        if self._conductor.distributed and not self._environment.runner.worker_count:
            return _NO_WORKER
        try:
            options = self._options(form)
            self._conductor.prepare_for_ui(options, self._host(form), form.get(PLAN_HASH, ""))
        except (ValueError, OSError) as error:
            return problem(error)
        return None

    def _settings(self, form: Mapping[str, str]) -> Settings:
        return run_settings.from_options(self._options(form), self._host(form))

    def _host(self, form: Mapping[str, str]) -> str | None:
        return form.get("host") or self._environment.host

    def _options(self, form: Mapping[str, str]) -> Namespace:
        """The options in force with the form's values, cast as Locust does. Raises WrongValueError."""
        options = copy.copy(self._environment.parsed_options)
        options.load = ""  # the form says scenario and rate
        for name, value in form.items():
            old = getattr(options, name, None)
            if old is None or isinstance(old, list):
                continue
            try:
                setattr(options, name, value == "true" if isinstance(old, bool) else type(old)(value))
            except ValueError:
                raise wrong(
                    name, repr(value), "a whole number" if isinstance(old, int) else "a number"
                ) from None
        if options.scenario != RECORDED:  # a field that is not shown keeps what was typed into it
            options.recorded = options.to = ""
            setattr(options, "from", "")
        if "@" in (host := form.get("host", "")):
            logins.clean(options, host)
        return options


def problem(error: ValueError | OSError) -> Problem:
    """The error in the words of the form."""
    sentence = str(error)
    if isinstance(error, WrongValueError):
        return Problem(run_settings.option_of(error.name), error.reason, sentence)
    return Problem("trace" if isinstance(error, TraceError) else "", sentence, sentence)


_BUSY_TEXT = "a run is in progress: stop it first"
_BUSY = Problem("", _BUSY_TEXT, _BUSY_TEXT)
_NO_WORKER_TEXT = "no worker is connected: start one with --worker, or run without --master"
_NO_WORKER = Problem("", _NO_WORKER_TEXT, _NO_WORKER_TEXT)
