"""How much of what was asked the limit on open files allows: a connection is a file at both of its ends."""

import resource
from dataclasses import dataclass

SPARE = 200
"""Files of a process beside its connections, with room."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many there are of each: open streams, idle connections, waiting requests."""

    streams: int
    idle: int
    queue: int


def open_files() -> int:
    """How many a process may open here; its children then may, too."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return 1 << 24 if hard == resource.RLIM_INFINITY else hard


def fitting(asked: Sizes, files: int) -> tuple[Sizes, str]:
    """What fits, and a sentence that says so. The gateway takes as many connections as three quarters of its
    files; a stream is two, one of them to the engine.
    """
    connections = files * 3 // 4 - SPARE
    fits = Sizes(
        min(asked.streams, connections, (files - SPARE) // 2),
        min(asked.idle, connections),
        min(asked.queue, connections),
    )
    if fits == asked:
        return fits, f"{files:,} open files are allowed here (ulimit -n), enough for all."
    smaller = [
        f"{has:,} of {wants:,} {what}"
        for has, wants, what in (
            (fits.streams, asked.streams, "streams"),
            (fits.idle, asked.idle, "idle connections"),
            (fits.queue, asked.queue, "waiting requests with sockets (all of them without)"),
        )
        if has < wants
    ]
    return fits, f"{files:,} open files are allowed here (ulimit -n), hence {', '.join(smaller)}."
