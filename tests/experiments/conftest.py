"""An emulator as a real process for the tests of this folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from experiments.stack import engine

Start = Callable[..., contextlib.AbstractContextManager[engine.Engine]]


@pytest.fixture
def emulator(tmp_path: Path) -> Start:
    """`with emulator("exact", "base_s=0.02") as engine:` runs one with that profile, changed in those
    keys.
    """

    @contextlib.contextmanager
    def start(profile: str = "exact", *settings: str) -> Iterator[engine.Engine]:
        args = [part for setting in settings for part in ("--set", setting)]
        choice = engine.choose("emulator", profile=profile, engine_args=args)
        with engine.running(choice, log_dir=tmp_path) as served:
            yield served

    return start
