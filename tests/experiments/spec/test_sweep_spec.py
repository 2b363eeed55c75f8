"""The spec: defaults, flags over TOML, and one clear sentence for every mistake."""

from pathlib import Path

import pytest

from experiments.cli import sweep_args
from experiments.errors import UserError
from experiments.spec import sweep_spec


def _parse(*argv: str) -> sweep_args.SweepOptions:
    return sweep_args.parse(argv)


def test_flags_replace_what_the_file_says(tmp_path: Path) -> None:
    """The command line has the last word, key by key."""
    spec = tmp_path / "spec.toml"
    spec.write_text('[gateway]\nmax_active = [1, 2]\nqueue_max = 7\n[slo]\ntext = "ttft<=2s"\n')
    found = _parse("--spec", str(spec), "--max-active", "4,8").spec
    assert found.gateway.max_active == (4, 8)
    assert found.gateway.queue_max == (7,)
    assert found.slo.text == "ttft<=2s"


def test_scenarios_and_rates_make_a_product() -> None:
    """`--scenario` and `--rate` cross; `--load` pairs."""
    found = _parse("--scenario", "sustained,burst", "--rate", "0.5x,3").spec.load.loads
    assert found == ("sustained@0.5x", "sustained@3", "burst@0.5x", "burst@3")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--max-active", "0"), "max_active.0 = '0': should be greater than or equal to 1"),
        (("--max-active", ""), "max_active is an empty list"),
        (("--queue-timeout", "-1"), "queue_timeout_s.0"),
        (("--queue-timeout", "soon"), "'soon' is not a span of time"),
        (("--queue-mode", "rejct"), "'queue' or 'reject'"),
        (("--rate", "fast"), "rate 'fast'"),
        (("--load", "sustained"), "write SCENARIO@RATE"),
        (("--slo", "ttft<1parsec"), "SLO term"),
        (("--bugdet", "20m"), "unrecognized arguments: --bugdet"),
        (("--budget", "0"), "above zero"),
        (("--engine", "mlc"), "engine.provider = 'mlc': should be 'auto'"),
        (("--engine", "tgi"), "engine.provider = 'tgi' is never started here: say where it runs"),
        (("--gateway-url", "localhost:8080"), "must begin with http://"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_value(argv: tuple[str, ...], said: str) -> None:
    """Nothing starts; the message names the key, the value and what is allowed."""
    with pytest.raises(UserError) as caught:
        _parse(*argv)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_in_the_file_names_the_known_ones(tmp_path: Path) -> None:
    """A misspelt key must not vanish: the sweep would measure something else than was asked."""
    spec = tmp_path / "spec.toml"
    spec.write_text("[gateway]\nmax_activ = 4\n")
    with pytest.raises(
        UserError, match=r"unknown key gateway\.max_activ; known keys are max_active, queue_mode"
    ):
        sweep_spec.load(spec, {})


def test_the_digest_follows_every_key() -> None:
    """A resumed run is checked against it."""
    assert _parse().spec.digest() == _parse().spec.digest()
    assert _parse().spec.digest() != _parse("--seed", "2").spec.digest()
    assert _parse().spec.digest() != _parse("--slo", "ttft<=1s").spec.digest()
    for younger in (("--lengths", "free"), ("--lengths", "forced"), ("--usage", "none")):
        assert _parse().spec.digest() != _parse(*younger).spec.digest()
    assert _parse().spec.digest() == _parse("--usage", "asked").spec.digest()


def test_the_quick_preset_is_the_default_written_out() -> None:
    """The commented file is where people look the defaults up."""
    assert _parse("--preset", "quick").spec == _parse().spec


@pytest.mark.parametrize("preset", ["standard", "thorough"])
def test_every_preset_is_valid(preset: str) -> None:
    """A preset that does not parse would be found by a newcomer."""
    assert _parse("--preset", preset).spec.design.blocks >= 3
