"""Who is in which lane: told by the request's key, or by what a trusted client says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from gateway.histogram import Histogram
from gateway.lane import Lane, Lanes
from gateway.lane_counts import CLASS_TTFT, LaneCounts
from gateway.refusal import Fields
from gateway.ticket import RequestFacts

TENANT_FIELD = b"x-headroom-tenant"
CLASS_FIELD = b"x-headroom-class"
WITHIN_FIELD = b"x-headroom-within-s"
LONGEST_WITHIN_S = 86_400.0


def within_s(value: bytes) -> float | None:
    """The seconds that a client gives a request; None for what is no number above 0 and up to a day."""
    try:
        told_s = float(value)
    except ValueError:
        return None
    return told_s if 0 < told_s <= LONGEST_WITHIN_S else None


class KnownLane:
    """One lane as its requests need it.

    name: the core's; facts: all that is known of a request before its body is read; rank: place of its class,
    0 is the most urgent; trusted: its clients may say for whom they ask; counts: what became of its requests;
    class_ttft: of all its class, see `account`; timing: its entry of `Server-Timing`.
    """

    __slots__ = ("class_ttft", "counts", "facts", "lane", "name", "rank", "timing", "trusted")

    def __init__(self, lane: Lane, rank: int, class_ttft: Histogram, *, trusted: bool) -> None:
        self.lane = lane
        self.name = lane.name
        self.facts = RequestFacts(lane=lane.name)
        self.rank = rank
        self.class_ttft = class_ttft
        self.trusted = trusted
        self.counts = LaneCounts(lane.tenant, lane.priority_class)
        self.timing = f', lane;desc="{lane.name}"'.encode()

    def __repr__(self) -> str:
        return f"<KnownLane [{self.name} | {self.counts!r}]>"


@dataclass(frozen=True, slots=True)
class Clients:
    """Who the clients of a lane are. digests: SHA-256 of each key; trusted: see `KnownLane`."""

    digests: frozenset[bytes] = frozenset()
    trusted: bool = False


NOBODY = Clients()


class LaneBook:
    """The lanes in force and their clients. Replaced as a whole; only what is counted and learnt in it
    changes, and goes on in the next one where that has a lane of the same name.

    Keys are looked up by their digests: how long that takes tells nothing of any key.

    Raises:
        ValueError: two lanes have the same key.
    """

    class_ttft: Mapping[str, Histogram]

    def __init__(
        self,
        lanes: Lanes,
        clients: Mapping[str, Clients],
        *,
        refuses_unknown: bool = False,
        before: "LaneBook | None" = None,
    ) -> None:
        """clients: by the lane's name. refuses_unknown: who has no lane may not ask at all."""
        self.lanes = lanes
        self.clients = clients
        self.refuses_unknown = refuses_unknown
        self.by_name: dict[str, KnownLane] = {}
        self._by_digest: dict[bytes, KnownLane] = {}
        known_ttft: Mapping[str, Histogram] = {} if before is None else before.class_ttft
        self.class_ttft = {
            one.name: known_ttft.get(one.name) or Histogram(CLASS_TTFT, f'priority_class="{one.name}"')
            for one in lanes.classes
        }
        ranks = {one.name: rank for rank, one in enumerate(lanes.classes)}
        for lane in lanes.lanes:
            told = clients.get(lane.name, NOBODY)
            own = lane.priority_class
            known = KnownLane(lane, ranks[own], self.class_ttft[own], trusted=told.trusted)
            earlier = None if before is None else before.by_name.get(lane.name)
            if earlier is not None:
                known.counts = earlier.counts
            self.by_name[lane.name] = known
            for digest in told.digests:
                other = self._by_digest.setdefault(digest, known)
                if other is not known:
                    raise ValueError(f"lanes {other.name} and {known.name} have the same key")
        self.unknown = self.by_name[lanes.unknown.name]

    def of_bearer(self, authorization: bytes) -> KnownLane | None:
        """The lane of a key in its usual form, `Bearer KEY`; None for another form, and for nobody's key."""
        if authorization[:7] != b"Bearer ":
            return None
        return self._by_digest.get(sha256(authorization[7:]).digest())

    def of_keys(self, keys: Iterable[bytes]) -> KnownLane | None:
        """The lane of the first key that is somebody's, None for none."""
        for key in keys:
            if key:
                known = self._by_digest.get(sha256(key).digest())
                if known is not None:
                    return known
        return None

    def said(self, own: KnownLane, fields: Fields) -> KnownLane:
        """The lane that a trusted client of `own` asks for: see `Lanes.asked_for`."""
        tenant, urgency = fields.get(TENANT_FIELD), fields.get(CLASS_FIELD)
        if tenant is None and urgency is None:
            return own
        asked = self.lanes.asked_for(own.lane, _text(tenant), _text(urgency))
        return self.by_name[asked.name]


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
