"""Which of Locust's events the conductor listens to."""

from __future__ import annotations

from argparse import ArgumentParser

import locust.stats
from locust import events

from loadtests.recording.histogram import bucket_ms
from loadtests.running import options
from loadtests.running.conductor import Conductor
from loadtests.running.locust_types import LocustEnvironment


def install() -> None:
    """Add the listeners, once per process; Locust's rounding of response times is replaced by a finer one."""
    locust.stats.bucket_response_time = bucket_ms  # type: ignore[assignment] # a float is as good a key
    events.init_command_line_parser.add_listener(_add_options)  # type: ignore[no-untyped-call]
    events.init.add_listener(_on_init)  # type: ignore[no-untyped-call]


def _add_options(parser: ArgumentParser) -> None:
    options.add(parser)


def _on_init(environment: LocustEnvironment, **_: object) -> None:
    conductor = Conductor(environment)
    environment.headroom = conductor
    conductor.on_init()
    if environment.web_ui is not None:
        # Flask is only needed, and only imported by us, where there is a web UI.
        from loadtests.web.webui import WebUi

        WebUi(environment.web_ui, conductor, environment)
    environment.events.test_start.add_listener(lambda **_: conductor.on_test_start())
    environment.events.test_stopping.add_listener(lambda **_: conductor.on_stopping())
    environment.events.test_stop.add_listener(lambda **_: conductor.finish())
    environment.events.quitting.add_listener(lambda **_: conductor.on_quitting())
