"""What this package uses of Locust's objects; their own types leave most of it open.

Environment and runner stand for all three roles of a process (local, master, worker): which attributes are
there depends on the role, and only code of that role reads them.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from flask import Flask
    from flask_login import LoginManager  # type: ignore[import-untyped] # it ships no types

Listener = Callable[..., object]
View = TypeVar("View", bound=Callable[..., object])


class LocustMessage(Protocol):
    """Between master and worker; `data` is what msgpack makes of it."""

    node_id: str
    data: Any


class LocustWorker(Protocol):
    """A worker, seen from the master."""

    id: str


class LocustWorkers(Protocol):
    """The workers, by what they are doing."""

    ready: list[LocustWorker]
    spawning: list[LocustWorker]
    running: list[LocustWorker]


class LocustRunner(Protocol):
    """Starts and stops users; on a master and a worker it also carries messages."""

    shape_greenlet: object | None
    clients: LocustWorkers
    worker_count: int
    client_id: str

    def register_message(self, msg_type: str, listener: Listener) -> None:
        """Call `listener(environment=…, msg=…)` for every message of this type."""

    def send_message(self, msg_type: str, data: object = None, client_id: str | None = None) -> None:
        """To the master, or to one worker, or to all."""


class LocustEvent(Protocol):
    """Something that listeners wait for."""

    def add_listener(self, handler: Listener) -> Listener:
        """Call `handler` with the event's arguments by name."""

    def fire(self, **arguments: object) -> None:
        """Call every listener."""


class LocustEvents(Protocol):
    """The events that are used here."""

    request: LocustEvent
    test_start: LocustEvent
    test_stopping: LocustEvent
    test_stop: LocustEvent
    quitting: LocustEvent


class LocustEntry(Protocol):
    """One row of Locust's statistics."""

    def log(self, response_time: float, content_length: int) -> None:
        """Count one response, in milliseconds."""


class LocustStats(Protocol):
    """Rows by (name, method), made when asked for."""

    entries: Mapping[tuple[str, str], LocustEntry]


class LocustWebUi(Protocol):
    """The web page, before it starts to serve."""

    app: Flask
    web_login: bool
    login_manager: LoginManager
    auth_args: dict[str, str]
    template_args: dict[str, object]

    def auth_required_if_enabled(self, view: View) -> View:
        """The view behind the login, where there is one."""


class Sending(Protocol):
    """A share of a plan, sent by this process's one user."""

    def send(self) -> None:
        """All of it; returns when every request has its record."""

    def user_stopped(self) -> None:
        """The user is gone: Stop in the web UI, or Locust moves it to another worker."""


class Conducting(Protocol):
    """Our conductor, as Locust's user and shape know it."""

    @property
    def sending(self) -> Sending | None:
        """Whose share to send; None when there is no run, or it is over."""

    def senders(self) -> int:
        """How many users there should be: one per sending process."""

    def wait_done(self) -> None:
        """Block until the run is over."""


class LocustEnvironment(Protocol):
    """What every listener gets."""

    host: str | None
    parsed_options: Namespace
    process_exit_code: int | None
    events: LocustEvents
    stats: LocustStats
    runner: LocustRunner
    web_ui: LocustWebUi | None
    headroom: Conducting
    """Ours: set by `loadtests.hooks`."""
