"""Secrets of the command line, taken to where neither Locust's pages nor a process list show them."""

from __future__ import annotations

import os
from argparse import Namespace
from urllib.parse import urlsplit

from loadtests.reach import handed_down, own_arguments
from loadtests.reach.endpoint import Endpoint
from loadtests.running.locust_types import LocustEnvironment
from loadtests.settings import CREDENTIALS

_ADDRESSES = ("host", "tokenize_url", "gateway_metrics", "engine_metrics")


def set_aside(environment: LocustEnvironment) -> None:
    """Takes logins out of the addresses that were given, for `settings.from_options` to find; blanks them and
    the keys in this process's command line.

    What is no URL stays: the settings say so, without showing it.
    """
    options = environment.parsed_options
    text = os.environ.get(handed_down.VARIABLE, "") or getattr(options, CREDENTIALS, "")
    setattr(options, CREDENTIALS, text)
    own_arguments.hide([*_typed(options), options.api_key, options.web_password])
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
    return [urlsplit(url).netloc.rpartition("@")[0] for url in urls if "@" in url]
