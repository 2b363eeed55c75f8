"""The files of the page /llm, and the way to it from Locust's own first screen."""

from __future__ import annotations

from importlib import resources

from flask import Response

from loadtests.look import sheet

_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
"""Everything is served from here, nothing is written into the page, and nobody frames it under a click."""
_KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def page() -> Response:
    """The page itself."""
    return Response(_read("index.html"), mimetype="text/html", headers=_headers())


def part(name: str) -> Response:
    """A style sheet or script of the page, by name; 404 for anything else."""
    made = {"look.css": sheet.style, "theme.js": sheet.theme_script}
    kind = next((kind for ending, kind in _KINDS.items() if name.endswith(ending)), None)
    if kind is None or not (name in made or name in _names()):
        return Response("no such file\n", status=404, mimetype="text/plain")
    content = made[name]() if name in made else _read(name)
    return Response(content, mimetype=kind, headers=_headers())


def with_door(html: str, base: str) -> str:
    """Locust's page with a link to ours above it."""
    link = f'<p style="{_STRIP}"><a id="headroom" style="{_LINK}" href="{base}/llm">'
    text = "Headroom: choose a scenario, see the plan, start, watch</a></p>"
    return html.replace("<body>", f"<body>{link}{text}", 1)


_STRIP = "margin:0;padding:8px 24px;background:#0067ae;font:15px/1.5 system-ui,sans-serif;text-align:center"
_LINK = "color:#fff"


def _names() -> set[str]:
    return {entry.name for entry in resources.files("loadtests.web").joinpath("page").iterdir()}


def _read(name: str) -> str:
    return resources.files("loadtests.web").joinpath("page").joinpath(name).read_text(encoding="utf-8")


def _headers() -> dict[str, str]:
    return {
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
        "Referrer-Policy": "same-origin",
    }
