"""Secrets of the command line, taken to where neither Locust's pages nor a process list show them."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from urllib.parse import urlsplit

from loadtests.reach import handed_down, own_arguments
from loadtests.reach.endpoint import Endpoint
from loadtests.running.locust_types import LocustEnvironment
from loadtests.settings import CREDENTIALS, OWN_KEY

_KEYS = ("--api-key", "--web-password")
_ADDRESSES = ("host", "tokenize_url", "gateway_metrics", "engine_metrics")


def set_aside(environment: LocustEnvironment) -> None:
    """Takes key and logins out of the options, for `settings.from_options` to find, and out of this process's
    command line, which Locust reads again for the defaults of its form.

    What is no URL stays: the settings say so, without showing it.
    """
    options = environment.parsed_options
    logins = _typed(options)
    own_arguments.hide([*logins, options.api_key, options.web_password])
    sys.argv[:] = _without(logins, sys.argv)
    setattr(options, OWN_KEY, options.api_key or getattr(options, OWN_KEY, ""))
    options.api_key = ""
    text = os.environ.get(handed_down.VARIABLE, "") or getattr(options, CREDENTIALS, "")
    setattr(options, CREDENTIALS, text)
    environment.host = clean(options, environment.host)
    for name in _ADDRESSES:
        setattr(options, name, clean(options, getattr(options, name, None)))


def clean(options: Namespace, url: str | None) -> str | None:
    """The address without its login, which goes into the options."""
    if not url or "@" not in url:
        return url
    try:
        to = Endpoint.parse(url)
    except ValueError:
        return url
    known = handed_down.from_text(getattr(options, CREDENTIALS, ""))
    setattr(options, CREDENTIALS, handed_down.to_text([*known, to]))
    return to.url


def _typed(options: Namespace) -> list[str]:
    """The logins as they stand on the command line, with their escapes."""
    urls = [getattr(options, name, None) or "" for name in _ADDRESSES]
    return [
        urlsplit(url if "//" in url else f"//{url}").netloc.rpartition("@")[0] for url in urls if "@" in url
    ]


def _without(logins: list[str], words: list[str]) -> list[str]:
    """The command line without keys and logins."""
    kept: list[str] = []
    for word in words:
        flag, equals, _ = word.partition("=")
        if kept and kept[-1] in _KEYS:
            kept.append("")
        elif equals and flag in _KEYS:
            kept.append(f"{flag}=")
        else:
            for login in logins:
                word = word.replace(f"{login}@", "")
            kept.append(word)
    return kept
