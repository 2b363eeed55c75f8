"""Keys and logins of a command line: taken from where they are typed, and out of everything that is kept."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from experiments.errors import UserError
from loadtests.reach import handed_down, own_arguments
from loadtests.reach.endpoint import Endpoint, without_login
from loadtests.reach.handed_down import API_KEY_VARIABLE

ENGINE_KEY_VARIABLE = "UPSTREAM_API_KEY"
"""The gateway's own name for the key that its engine wants."""
_FLAGS = ("--admin-token", "--api-key", "--upstream-api-key")


def without_secrets(argv: Sequence[str]) -> list[str]:
    """The command line as it may be stored and shown: a run folder is mailed and archived."""
    shown: list[str] = []
    for word in argv:
        flag, equals, _ = word.partition("=")
        if shown and shown[-1] in _FLAGS:
            shown.append("…")
        else:
            shown.append(f"{flag}=…" if equals and flag in _FLAGS else without_login(word))
    return shown


def hide(argv: Sequence[str]) -> None:
    """Blanks them in this process's command line, which `ps` shows to everybody."""
    typed = [value for flag, value in pairwise(argv) if flag in _FLAGS]
    typed += [word.partition("=")[2] for word in argv if word.partition("=")[0] in _FLAGS]
    logins = [word.rpartition("@")[0].rpartition("//")[2] for word in argv if without_login(word) != word]
    own_arguments.hide([*typed, *logins])


def add_engine_key(group: argparse._ActionsContainer, environment: Mapping[str, str]) -> None:
    """The flag of a command that asks an engine itself."""
    group.add_argument(
        "--upstream-api-key",
        metavar="KEY",
        default=environment.get(ENGINE_KEY_VARIABLE) or None,
        help=f"key that the engine wants (default ${ENGINE_KEY_VARIABLE})",
    )


def client_key(given: str | None, environment: Mapping[str, str]) -> str:
    """What a gateway wants of its clients; empty: nothing."""
    return key("--api-key", given or environment.get(API_KEY_VARIABLE))


def engine(url: str, api_key: str | None, environment: Mapping[str, str]) -> Endpoint:
    """The engine that `--engine-url` names, with what was typed, or handed down by our parent.

    Raises:
        UserError: it is no URL, or the key is none.
    """
    given = endpoint("--engine-url", url, key("--upstream-api-key", api_key))
    known = handed_down.endpoint(given.url, "", environment.get(handed_down.VARIABLE, ""))
    return replace(given, login=given.login or known.login, api_key=given.api_key or known.api_key)


def key(flag: str, value: str | None) -> str:
    """A key as a header can carry it, without the line end that files bring along; empty where there is none.

    Raises:
        UserError: no header can carry it.
    """
    found = (value or "").strip()
    if not all(33 <= ord(letter) <= 126 for letter in found):
        raise UserError(f"{flag}: allowed are visible ASCII characters without spaces")
    return found


def endpoint(flag: str, url: str, api_key: str = "") -> Endpoint:
    """The server that a flag names.

    Raises:
        UserError: it is no URL; the sentence holds no password.
    """
    if not url.strip().startswith(("http://", "https://")):
        raise UserError(f"{flag} {without_login(url)}: an address must begin with http:// or https://")
    try:
        return Endpoint.parse(url, api_key)
    except ValueError as error:
        raise UserError(f"{flag} {error}") from None
