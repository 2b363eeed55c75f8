"""Cross-origin requests: off by default, for the named origins alone, never for /admin."""

from collections.abc import Iterator

import pytest

from tests.gateway.process import GatewayProcess, gateway
from tests.gateway.scripted_engine import ScriptedEngine

APP = "https://app.example"
CHAT = "/v1/chat/completions"
ASKING = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-os",
}


@pytest.fixture(scope="module")
def engine_of_module() -> Iterator[ScriptedEngine]:
    with ScriptedEngine() as engine:
        yield engine


@pytest.fixture(scope="module")
def named(engine_of_module: ScriptedEngine) -> Iterator[GatewayProcess]:
    origins = f"{APP}, http://localhost:3000"
    with gateway(engine_of_module.url, allowed_origins=origins, gateway_api_keys="k") as running:
        yield running


@pytest.fixture(scope="module")
def every(engine_of_module: ScriptedEngine) -> Iterator[GatewayProcess]:
    with gateway(engine_of_module.url, allowed_origins="*") as running:
        yield running


def ask(running: GatewayProcess, method: str, path: str, **more: str) -> tuple[int, dict[str, str]]:
    """Status and fields, with lower-case names; `_` in a keyword is `-`."""
    body: dict[str, list[str]] | None = {"messages": []} if method == "POST" else None
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    status, fields, _ = running.ask(method, path, body, headers)
    return status, {name.lower(): value for name, value in fields.items()}


def granted(fields: dict[str, str]) -> bool:
    """Whether any field of CORS is there."""
    return any(name.startswith("access-control-") for name in fields)


@pytest.mark.fault(89)
@pytest.mark.parametrize("origin", [APP, "http://localhost:3000"])
def test_a_preflight_is_answered(named: GatewayProcess, origin: str) -> None:
    """The question before the request needs no key, and grants the fields that were asked for."""
    status, fields = ask(named, "OPTIONS", CHAT, origin=origin, **ASKING)
    assert status == 204
    assert fields["access-control-allow-origin"] == origin
    assert "POST" in fields["access-control-allow-methods"]
    assert fields["access-control-allow-headers"] == ASKING["access-control-request-headers"]
    assert "origin" in fields["vary"]


def test_the_answer_itself_can_be_read(named: GatewayProcess) -> None:
    """Also a refusal, and the waits and ids that a page would read."""
    for key, expected in (("k", 200), ("wrong", 401)):
        status, fields = ask(named, "POST", CHAT, origin=APP, authorization=f"Bearer {key}")
        assert status == expected
        assert fields["access-control-allow-origin"] == APP
        assert "x-request-id" in fields["access-control-expose-headers"]
    assert ask(named, "GET", "/nothing", origin=APP)[1]["access-control-allow-origin"] == APP


@pytest.mark.fault(89)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.example.evil", f"{APP}:444"])
def test_another_origin_gets_nothing(named: GatewayProcess, origin: str) -> None:
    """An origin that is not named, or only looks like one that is, is answered as without CORS."""
    status, fields = ask(named, "OPTIONS", CHAT, origin=origin, **ASKING)
    assert (status, granted(fields)) == (405, False)
    status, fields = ask(named, "GET", "/health", origin=origin)
    assert (status, granted(fields), fields["vary"]) == (200, False, "origin")


@pytest.mark.fault(89)
@pytest.mark.parametrize("path", ["/admin/limits", "/admin/state", "/admin"])
def test_admin_is_never_part_of_it(named: GatewayProcess, every: GatewayProcess, path: str) -> None:
    """No page of another origin reads or changes limits, whatever is allowed."""
    for running in (named, every):
        assert not granted(ask(running, "OPTIONS", path, origin=APP, **ASKING)[1])
        assert not granted(ask(running, "GET", path, origin=APP)[1])


def test_any_origin_gets_no_credentials(every: GatewayProcess) -> None:
    """`*` and credentials together would open the gateway to every page; a browser refuses them too."""
    for method in ("OPTIONS", "POST"):
        _, fields = ask(every, method, CHAT, origin=APP, **ASKING)
        assert fields["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in fields


@pytest.mark.fault(89)
def test_it_is_off_by_default(engine_of_module: ScriptedEngine) -> None:
    """Nothing is granted to a page unless ALLOWED_ORIGINS says so."""
    with gateway(engine_of_module.url) as running:
        status, fields = ask(running, "OPTIONS", CHAT, origin=APP, **ASKING)
        assert (status, granted(fields)) == (405, False)
        status, fields = ask(running, "POST", CHAT, origin=APP)
        assert (status, granted(fields), "vary" in fields) == (200, False, False)
