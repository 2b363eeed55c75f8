"""Settings as people and orchestrators write them: each is read, or refused in one sentence."""

import pytest

from gateway.command_line import load
from gateway.settings import BadSettingError, Settings


def read(**environ: str) -> Settings:
    """The settings of a process with this environment."""
    return load([], environ)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("LOG_LEVEL", "INFO", "info"),
        ("LOG_LEVEL", "Warn", "warning"),
        ("LOG_LEVEL", "critical", "error"),
        ("LOG_LEVEL", " debug\n", "debug"),
        ("QUEUE_MODE", "Reject", "reject"),
        ("QUEUE_ORDER", "LIFO", "lifo"),
        ("MAX_ACTIVE", " 8 ", 8),
        ("MAX_ACTIVE", '"8"', 8),
        ("MAX_ACTIVE", "8.0", 8),
        ("GATEWAY_PORT", "9000", 9000),
        ("GATEWAY_PORT", "tcp://10.96.14.2:8080", 8080),
        ("GATEWAY_PORT", "udp://[fd00::1]:53", 8080),
        ("GATEWAY_HOST", "[::1]", "::1"),
        ("GATEWAY_HOST", "::", "::"),
        ("VLLM_BASE_URL", "HTTP://Engine:8000/", "http://Engine:8000"),
        ("VLLM_BASE_URL", "https://engine/team/a/v1/", "https://engine/team/a"),
        ("VLLM_BASE_URL", " http://[::1]:8000/v1\n", "http://[::1]:8000"),
        ("VLLM_BASE_URL", "'http://engine:8000'", "http://engine:8000"),
        ("VLLM_BASE_URL", "", "http://127.0.0.1:8000"),
        ("UPSTREAM_API_KEY", "sk-1\n", "sk-1"),
        (
            "ALLOWED_ORIGINS",
            "https://App.example:443/, http://[::1]:3000",
            "https://app.example,http://[::1]:3000",
        ),
        ("ALLOWED_ORIGINS", "*", "*"),
    ],
)
def test_what_is_meant_is_read(name: str, text: str, value: object) -> None:
    """Case, blanks, quotes, line ends, `/v1` and brackets are spelling, not another value."""
    assert getattr(read(**{name: text}), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("VLLM_BASE_URL", "engine:8000"),
        ("VLLM_BASE_URL", "ftp://engine"),
        ("VLLM_BASE_URL", "http://"),
        ("VLLM_BASE_URL", "http://:8000"),
        ("VLLM_BASE_URL", "http://engine:80000"),
        ("VLLM_BASE_URL", "http://engine:http"),
        ("VLLM_BASE_URL", "http://engine:0"),
        ("VLLM_BASE_URL", "http://[::1"),
        ("VLLM_BASE_URL", "http://eng ine"),
        ("VLLM_BASE_URL", "http://a..b"),
        ("VLLM_BASE_URL", "http://engine/ä"),
        ("VLLM_BASE_URL", "http://engine/?x=1"),
        ("GATEWAY_PORT", "tcp://engine"),
        ("GATEWAY_PORT", "http"),
        ("GATEWAY_HOST", "http://0.0.0.0"),
        ("GATEWAY_HOST", "0.0.0.0:8080"),
        ("GATEWAY_HOST", "a..b"),
        ("ALLOWED_ORIGINS", "app.example"),
        ("ALLOWED_ORIGINS", "https://app.example/page"),
        ("ALLOWED_ORIGINS", "null"),
        ("ALLOWED_ORIGINS", "https://*.example"),
        ("LOG_LEVEL", "loud"),
        ("MAX_ACTIVE", "8.5"),
        ("REQUEST_TIMEOUT_S", "60s"),
        ("REQUEST_TIMEOUT_S", "inf"),
        ("WEB_CONCURRENCY", "4"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(name: str, text: str) -> None:
    """It names the setting, and nothing but BadSettingError comes out."""
    with pytest.raises(BadSettingError) as refused:
        read(**{name: text})
    sentence = str(refused.value)
    assert sentence.startswith("WORKERS" if name == "WEB_CONCURRENCY" else name)
    assert text in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("name", ["UPSTREAM_API_KEY", "GATEWAY_ADMIN_TOKEN"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(name: str) -> None:
    """A line break inside would end the header; the sentence does not repeat a secret."""
    with pytest.raises(BadSettingError) as refused:
        read(**{name: "secret\r\nx: y"})
    assert str(refused.value).startswith(name)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "wait_s", "whole_s"),
    [
        ({"REQUEST_TIMEOUT_S": "60"}, 60, 60),
        ({"REQUEST_TIMEOUT_S": "200"}, 120, 200),
        ({"QUEUE_TIMEOUT_S": "250"}, 250, 300),
        ({"QUEUE_TIMEOUT_S": "600"}, 600, 780),
        ({"QUEUE_TIMEOUT_S": "3600"}, 3600, 3600),
        ({"QUEUE_TIMEOUT_S": "50", "REQUEST_TIMEOUT_S": "60"}, 50, 60),
        ({}, 120, 300),
    ],
)
def test_a_default_gives_way(given: dict[str, str], wait_s: float, whole_s: float) -> None:
    """One of the two timeouts that bound each other is enough: the other fits itself to it."""
    settings = read(**given)
    assert (settings.queue_timeout_s, settings.request_timeout_s) == (wait_s, whole_s)


def test_with_lanes_the_order_is_fair() -> None:
    """Unless another is set, also as a flag."""
    assert read().queue_order == "fifo"
    assert read(LANES_FILE="lanes.toml").queue_order == "fair"
    assert read(LANES_FILE="lanes.toml", QUEUE_ORDER="edf").queue_order == "edf"
    assert load(["--queue-order", "lifo"], {"LANES_FILE": "lanes.toml"}).queue_order == "lifo"


def test_two_timeouts_that_were_both_set_do_not_give_way() -> None:
    """Nobody knows which of the two was meant."""
    with pytest.raises(BadSettingError, match="QUEUE_TIMEOUT_S=90 is longer than REQUEST_TIMEOUT_S=60"):
        read(QUEUE_TIMEOUT_S="90", REQUEST_TIMEOUT_S="60")


def test_a_flag_is_not_a_service_link() -> None:
    """What somebody wrote on the command line was meant."""
    with pytest.raises(BadSettingError, match="GATEWAY_PORT"):
        load(["--gateway-port", "tcp://10.0.0.1:80"], {})
