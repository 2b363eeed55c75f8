"""What claims to be a metrics page, asked over the wire of engines that answer everything with something."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from experiments.errors import EnvironmentProblem
from experiments.observe import engine_counters, engine_metrics, metrics_page
from experiments.observe.gateway_admin import GatewayAdmin
from experiments.observe.metrics_page import MetricSample, NotMetricsError
from experiments.stack import engine_asked
from experiments.stack.providers.recognising import recognise
from loadtests.reach.endpoint import Endpoint
from tests.answering import Page
from tests.answering import answering as serving

MODELS = b'{"object":"list","data":[{"id":"m","object":"model","owned_by":"somebody"}]}'
PAGE = b'# TYPE vllm:prompt_tokens counter\nvllm:prompt_tokens_total{model_name="m"} 5.0\n'
HTML = b"<!doctype html>\n<html><body>count 5\ncount 6\n</body></html>"


@contextmanager
def answering(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, models: bytes = MODELS
) -> Iterator[str]:
    """URL of an engine that answers this to every path but `/v1/models`."""
    other = Page(body, status, headers or {})
    with serving(lambda path: Page(models) if path == "/v1/models" else other) as url:
        yield url


@pytest.mark.parametrize(
    ("body", "status", "headers", "said"),
    [
        (HTML, 200, {"content-type": "text/html"}, "is an HTML page and no metrics"),
        (b"\xef\xbb\xbf  " + HTML, 200, {}, "is an HTML page and no metrics"),
        (b"<html>502 Bad Gateway</html>", 502, {}, "answers 502"),
        (b'{"error":"Unexpected endpoint"}', 200, {}, "is something else than metrics"),
        (b"Ollama is running", 200, {}, "is something else than metrics"),
        (PAGE.decode().encode("utf-16"), 200, {"content-type": "text/plain; charset=utf-16"}, "is something"),
        (b"vllm:prompt_tokens_total many\n", 200, {}, "is something else than metrics"),
        (b"not gzip", 200, {"content-encoding": "gzip"}, "cannot be read"),
        (
            gzip.compress(b"a 1\n" * (metrics_page.MOST_BYTES // 3)),
            200,
            {"content-encoding": "gzip"},
            "16 MiB",
        ),
    ],
)
def test_what_is_no_page_is_told_and_harms_nobody(
    body: bytes, status: int, headers: dict[str, str], said: str
) -> None:
    """The engine is known all the same, with what is wrong with its metrics; a bomb is not unpacked."""
    with answering(body, status, headers) as url:
        with pytest.raises(NotMetricsError, match=said):
            engine_counters.page(Endpoint.parse(url))
        assert engine_counters.read(Endpoint.parse(url)) is None
        facts = engine_asked.read(Endpoint.parse(url), recognise)
    assert facts.models == ("m",)
    assert said in (facts.no_metrics or "")
    assert facts.block_size is None


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (PAGE, {}),
        (PAGE, {"content-type": "text/html"}),
        (PAGE, {"content-type": "text/plain; charset=no-such"}),
        (gzip.compress(PAGE), {"content-encoding": "gzip"}),
        (PAGE.replace(b"\n", b"\r\n"), {}),
        (PAGE + b"broken{ 7\nvllm:num_requests_running many\n", {}),
    ],
)
def test_a_page_is_read_whatever_its_header_says(body: bytes, headers: dict[str, str]) -> None:
    """Its text decides; a line that is broken spoils no other."""
    with answering(body, 200, headers) as url:
        page = engine_counters.page(Endpoint.parse(url))
        assert engine_asked.read(Endpoint.parse(url), recognise).no_metrics is None
    found = engine_counters.sums(page, {"vllm:prompt_tokens_total", "vllm:num_requests_running"})
    assert found == {"vllm:prompt_tokens_total": 5.0}


@pytest.mark.parametrize("body", [b"", b"\n", b"# HELP a b\n# TYPE a counter\n"])
def test_an_engine_may_have_nothing_to_tell_before_its_first_request(body: bytes) -> None:
    """It is scraped: samples may come."""
    with answering(body) as url:
        assert engine_asked.read(Endpoint.parse(url), recognise).no_metrics is None


@pytest.mark.parametrize("value", ["many", "NaN", "+Inf", "1.2.3", "--4"])
def test_a_number_that_is_none_is_not_reported(value: str) -> None:
    """A sum with it would be wrong; one that is needed makes the account none."""
    needed = [name for field, name in engine_counters.samples_of(engine_metrics.VLLM).items()]
    before = "".join(f"{name} 1\n" for name in needed)
    after = "".join(f"{name} 3\n" for name in needed) + f'vllm:prompt_tokens_total{{engine="1"}} {value}\n'
    assert "vllm:prompt_tokens_total" not in engine_counters.sums(after, set(needed))
    assert engine_counters.growth(before, after, engine_metrics.VLLM) is None


def test_lines_as_servers_write_them() -> None:
    """Escapes and braces in labels, times, exemplars of OpenMetrics, line separators of Unicode."""
    lines = (
        r"""a{b="x}\"\\\n",c="y"} 1 1700000000000
d_bucket{le="0.5"} 17 1.7e9 # {trace_id="k"} 0.4 1.7e9
e{model="one"""
        + "\u2028"
        + r"""two"} +Inf
# HELP f text 5
f   nan"""
    )
    found = list(metrics_page.samples(lines))
    assert [(one.name, dict(one.labels)) for one in found] == [
        ("a", {"b": 'x}"\\\n', "c": "y"}),
        ("d_bucket", {"le": "0.5"}),
        ("e", {"model": "one\u2028two"}),
        ("f", {}),
    ]
    assert found[1] == MetricSample("d_bucket", {"le": "0.5"}, 17.0)
    assert math.isinf(found[2].value)


@pytest.mark.parametrize("models", [HTML, b"[]", b'{"data": "m"}', b'{"data": [1]}', b'{"data": [{}]}', b"5"])
def test_a_list_of_models_that_is_none_is_one_sentence(models: bytes) -> None:
    """HTML, lists and numbers at `/v1/models`: what was asked, and why it is no answer."""
    with (
        answering(HTML, models=models) as url,
        pytest.raises(
            EnvironmentProblem, match=r"^the engine at http://\S+ cannot be used: .*needs --model$"
        ),
    ):
        engine_asked.read(Endpoint.parse(url), recognise)


def test_a_gateway_that_is_none_is_one_sentence() -> None:
    """`--gateway-url` of a web page: its limits and its metrics are asked for and named."""
    with answering(HTML) as url:
        admin = GatewayAdmin(Endpoint.parse(url), None)
        try:
            with pytest.raises(EnvironmentProblem, match="not a Headroom gateway's answer"):
                admin.limits()
            with pytest.raises(
                EnvironmentProblem, match="is an HTML page and no metrics: is that the address"
            ):
                admin.metrics_text()
        finally:
            admin.close()
