"""Who is told of alerts: the settings that monitoring/alertmanager/entrypoint.sh reads.

Only Python's own library is imported: `make up` reads them before anything is installed.
"""

from __future__ import annotations

from collections.abc import Mapping

RECEIVERS = ("ALERT_PAGE_WEBHOOK", "ALERT_TICKET_WEBHOOK", "ALERT_PAGE_SLACK", "ALERT_TICKET_SLACK")
"""Each holds addresses with blanks between them; empty is not set."""


def told_of(settings: Mapping[str, str]) -> list[str]:
    """ "pages", "tickets": the kinds of alerts that somebody is told of."""
    named = [name for name in RECEIVERS if settings.get(name, "").strip()]
    return [f"{kind}s" for kind in ("page", "ticket") if any(f"_{kind.upper()}_" in name for name in named)]
