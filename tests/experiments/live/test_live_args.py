"""How the two sides of a live comparison are spelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.cli import live_args
from experiments.cli.live_args import side_flags
from experiments.errors import UserError
from experiments.run_folder.live_run import LiveWay


def parse(*words: str) -> live_args.LiveOptions:
    return live_args.parse(list(words), "headroom compare")


def test_a_side_is_flags_of_a_sweep() -> None:
    assert side_flags("http://h:1,max_num_seqs=8") == ["--engine-url", "http://h:1", "--max-num-seqs", "8"]
    assert side_flags("vllm-cpu, MAX_ACTIVE=4,queue_timeout=2s") == [
        "--engine", "vllm-cpu", "--max-active", "4", "--queue-timeout", "2s",
    ]  # fmt: skip
    assert side_flags("as-is") == []
    with pytest.raises(UserError, match="'max_activ=4' is no side"):
        side_flags("max_activ=4")


def test_the_way_follows_from_what_differs() -> None:
    """Limits alone: one engine; flags of an engine that is started here: in turn, unless both fit; two
    addresses: at once."""
    here = ("--engine", "emulator")
    assert parse("--live", "max_active=4", "max_active=8", *here).way is LiveWay.ONE_ENGINE
    assert parse("--live", "max_num_seqs=4", "max_num_seqs=8", *here).way is LiveWay.IN_TURN
    both = parse("--live", "max_num_seqs=4", "max_num_seqs=8", "--together", *here)
    assert both.way is LiveWay.AT_ONCE
    urls = parse("--live", "http://127.0.0.1:1", "http://127.0.0.1:2", "--model", "m")
    assert urls.way is LiveWay.AT_ONCE
    assert urls.a.engine is not None
    assert urls.a.engine.url == "http://127.0.0.1:1"
    with pytest.raises(UserError, match="one gateway has one engine"):
        parse("--live", "http://127.0.0.1:1", "http://127.0.0.1:2", "--gateway-url", "http://127.0.0.1:3",
              "--model", "m")  # fmt: skip


def test_both_sides_have_one_setting_at_one_load_by_default_above_capacity() -> None:
    options = parse("--live", "max_active=4", "max_active=8", "--engine", "emulator")
    assert options.a.spec.load.loads == options.b.spec.load.loads == ("sustained@1.2x",)
    assert options.a.spec.gateway.max_active == (4,)
    assert options.b.spec.gateway.max_active == (8,)
    with pytest.raises(UserError, match="load has 2 values"):
        parse("--live", "max_active=4", "max_active=8", "--engine", "emulator", "--rate", "1,2")


def test_the_same_command_has_the_same_folder_whatever_its_blocks() -> None:
    words = ("--live", "max_active=4", "max_active=8", "--engine", "emulator")
    assert parse(*words).folder == parse(*words, "--blocks", "12", "--budget", "20m").folder
    assert parse(*words).folder != parse(*words, "--seed", "2").folder
    assert parse(*words, "--out", "x").folder == Path("x")
