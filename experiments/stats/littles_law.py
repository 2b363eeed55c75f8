"""Little's law as bookkeeping: the request-seconds that client, gateway and engine each saw in a cell.

The time average of the number in the system is the arrival rate times the mean time in it (Little 1961), so
over a cell that begins and ends empty the sums of times must agree wherever they are taken. They differ by
what lies between two places: network, wake-ups, parsing. More than that means that somebody lost requests,
or measured something else.
"""

from experiments.stats.ledger import Check

# Between client and gateway, or gateway and engine, on one machine: connection, wake-ups, parsing.
_BETWEEN_S = 0.008
_SHARE = 0.02


def in_system(client_s: float, gateway_s: float, requests: int) -> Check:
    """Client's sum of (finish − send) against the gateway's integral of requests active and queued, in
    request-seconds.
    """
    return _compare("request-seconds, client and gateway", client_s, gateway_s, requests)


def in_engine(gateway_s: float, engine_s: float, requests: int) -> Check:
    """The gateway's integral of slots held against the engine's sum of end-to-end latencies, in request-
    seconds.
    """
    return _compare("request-seconds, gateway and engine", gateway_s, engine_s, requests)


def _compare(what: str, outer_s: float, inner_s: float, requests: int) -> Check:
    """The inner sum may be smaller by 2 % and 8 ms a request, and larger by 2 %."""
    gap_s = outer_s - inner_s
    agrees = -_SHARE * outer_s <= gap_s <= _SHARE * outer_s + _BETWEEN_S * requests
    between = (
        f"{gap_s / requests * 1e3:.1f} ms a request lie between the two" if requests and agrees else None
    )
    return Check(what, round(outer_s, 3), round(inner_s, 3), agrees, between)
