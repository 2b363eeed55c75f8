"""The flags of a sweep come from the limits themselves."""

import pytest

from experiments.cli import sweep_args
from experiments.cli.matrix_flags import limit_flag
from experiments.cli.sweep_flags import parser
from experiments.errors import UserError
from experiments.stack.engine_knobs import NAMES, flag_of
from gateway.limits import LIMIT_NAMES
from gateway.settings import LiveSettings

GIVEN = {
    "max_active": ("3,7", (3, 7)),
    "queue_mode": ("reject", ("reject",)),
    "queue_max": ("0,9", (0, 9)),
    "queue_timeout_s": ("auto,2s,0.5", ("auto", 2.0, 0.5)),
    "queue_order": ("lifo,fifo", ("lifo", "fifo")),
    "request_timeout_s": ("2m", 120.0),
    "slot_cost": ("requests,tokens", ("requests", "tokens")),
}


@pytest.mark.parametrize("name", LIMIT_NAMES)
def test_every_limit_of_the_gateway_has_its_flag(name: str) -> None:
    """Its values reach the spec; all but the request's whole life are axes."""
    text, value = GIVEN[name]
    spec = sweep_args.parse([limit_flag(name), text]).spec
    assert getattr(spec.gateway, name) == value


@pytest.mark.parametrize("name", NAMES)
def test_every_limit_of_the_engine_has_its_flag(name: str) -> None:
    """As an axis of its own."""
    spec = sweep_args.parse([flag_of(name), "1000,2000"]).spec
    assert getattr(spec.engine, name) == (1000, 2000)


def test_the_help_says_what_each_limit_is() -> None:
    """In the gateway's own words, with the default of a sweep."""
    shown = " ".join(parser("headroom sweep").format_help().split())
    for name in LIMIT_NAMES:
        assert " ".join((LiveSettings.model_fields[name].description or "").split()) in shown
    for default in ("(default 2,8,16)", "(default queue,reject)", "(default auto)", "(default 300s)"):
        assert default in shown


def test_a_flag_that_is_none_is_one_sentence() -> None:
    """It names the command whose help has the right ones."""
    with pytest.raises(UserError, match=r"max-activ.*; see python -m experiments\.sweep --help$"):
        sweep_args.parse(["--max-activ", "3"])
