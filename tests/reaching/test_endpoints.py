"""Gateway and load generator, which do not know each other, read an address in the same way."""

import base64

import pytest

from gateway import endpoint as gateways
from gateway import setting_values
from gateway.endpoint import Endpoint as EngineOfGateway
from loadtests.reach.endpoint import Endpoint, without_login

PROXIED = {
    "HTTPS_PROXY": "http://p:3128",
    "http_proxy": "http://me:s%40fe@p",
    "NO_PROXY": "10.0.0.0/8,.corp:81",
}


def of_gateway(url: str, key: str, environ: dict[str, str]) -> EngineOfGateway:
    """As the settings make it."""
    return EngineOfGateway.of(setting_values.base_url(url), gateways.login_of(url), key, environ)


@pytest.mark.parametrize(
    ("url", "clean", "login"),
    [
        ("http://box", "http://box", ""),
        ("http://box:8000/v1/", "http://box:8000", ""),
        ("https://box/team-a/llm/", "https://box/team-a/llm", ""),
        ("http://[::1]:8000", "http://[::1]:8000", ""),
        ("http://me:word@box:8000/v1", "http://box:8000", "me:word"),
        ("https://me%40corp:w%3Ard%2F1@box/x", "https://box/x", "me@corp:w:rd/1"),
        ("http://token@box", "http://box", "token:"),
        ("http://a:b@c@box", "http://box", "a:b@c"),
    ],
)
def test_a_url_comes_apart(url: str, clean: str, login: str) -> None:
    """What is shown has no login, what is sent has its escapes undone, and no representation tells it."""
    ours, theirs = Endpoint.parse(url, "", {}), of_gateway(url, "", {})
    assert (ours.url, theirs.url) == (clean, clean)
    assert (ours.login, theirs.login) == (login, login)
    assert (ours.host, ours.port, ours.path) == (theirs.host, theirs.port, theirs.path)
    password = login.partition(":")[2] or "nothing"
    assert password not in f"{ours!r}{theirs!r}"


@pytest.mark.parametrize(
    ("url", "key", "sent"),
    [
        ("http://box", "", {}),
        ("http://box", "k", {"authorization": "Bearer k"}),
        ("http://me:w@box", "", {"authorization": "Basic " + base64.b64encode(b"me:w").decode()}),
        (
            "http://me:w@box",
            "k",
            {"authorization": "Basic " + base64.b64encode(b"me:w").decode(), "x-api-key": "k"},
        ),
    ],
)
def test_one_of_two_goes_into_authorization(url: str, key: str, sent: dict[str, str]) -> None:
    """The login is for who stands in front, and the key goes beside it."""
    theirs = {name.decode(): value.decode() for name, value in of_gateway(url, key, {}).credentials()}
    assert Endpoint.parse(url, key, {}).credentials() == sent == theirs


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://box", "http://p:3128"),
        ("http://box", "http://p:80"),
        ("http://127.0.0.1:8000", None),
        ("https://localhost", None),
        ("https://a.localhost", None),
        ("http://[::1]", None),
        ("http://127.1.2.3", None),
        ("http://10.1.2.3", None),
        ("http://11.1.2.3", "http://p:80"),
        ("http://a.corp:81", None),
        ("http://a.corp", "http://p:80"),
        ("http://notcorp:81", "http://p:80"),
    ],
)
def test_a_proxy_stands_before_others_only(url: str, proxy: str | None) -> None:
    """Never before this machine; NO_PROXY knows names, networks and ports."""
    for found in (Endpoint.parse(url, "", PROXIED).proxy, of_gateway(url, "", PROXIED).proxy):
        assert (found.url if found is not None else None) == proxy
        if found is not None and url.startswith("http:"):
            assert found.login == "me:s@fe"
    everything = PROXIED | {"no_proxy": "*"}
    assert Endpoint.parse(url, "", everything).proxy is None
    assert of_gateway(url, "", everything).proxy is None


def test_all_proxy_is_the_last_word_and_socks_is_none() -> None:
    """One sentence names what is not spoken."""
    environ = {"ALL_PROXY": "p:3128"}
    assert Endpoint.parse("http://box", "", environ).proxy is not None
    assert of_gateway("http://box", "", environ).proxy is not None
    for parse in (Endpoint.parse, of_gateway):
        with pytest.raises(ValueError, match="HTTP_PROXY names socks5://p: only http://"):
            parse("http://box", "", {"ALL_PROXY": "socks5://me:word@p:1"})


@pytest.mark.parametrize(
    "url",
    [
        "http://me:my-word@box:port",
        "http://me:my-word/@box",
        "http://me:12/my-word@box",
        "ftp://me:my-word@box",
        "http://me:my-word@",
    ],
)
def test_a_refusal_tells_no_password(url: str) -> None:
    """Also of what is no URL, where nobody can know which part is which."""
    for parse in (lambda: Endpoint.parse(url, "", {}), lambda: of_gateway(url, "", {})):
        with pytest.raises(ValueError, match=r"allowed|must be") as error:
            parse()
        assert "my-word" not in str(error.value)
    assert "my-word" not in without_login(f"x {url} y")


def test_a_load_may_be_told_a_host_without_scheme() -> None:
    """As Locust takes it; the login is seen all the same."""
    to = Endpoint.parse("me:my-word@box:8000", "", {})
    assert (to.url, to.login) == ("http://box:8000", "me:my-word")
    with pytest.raises(ValueError, match="must be") as error:
        Endpoint.parse("me:my-word@box:port", "", {})
    assert "my-word" not in str(error.value)
