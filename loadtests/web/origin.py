"""Who may ask: any web page can send a form to a server on this machine, so orders must come from our own.

As the browsers' own headers tell it (Fetch Metadata, and Origin where that is missing): a request that a page
of another site made is refused, one that no page made (a program, an address typed in) is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

_SAFE = ("GET", "HEAD", "OPTIONS")
_OWN = ("same-origin", "none")


def foreign(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a page of another site is behind this request, and it orders or reads something.

    Following a link to one of our pages is neither.
    """
    site = headers.get("Sec-Fetch-Site", "")
    if site:
        follows_link = method in _SAFE and headers.get("Sec-Fetch-Mode") == "navigate"
        return site not in _OWN and not follows_link
    origin = headers.get("Origin", "")
    return bool(origin) and urlsplit(origin).netloc != headers.get("Host", "")
