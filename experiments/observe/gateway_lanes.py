"""The lanes of a running gateway, as a sweep sets them: read, put in force and read back, given back at the
end.

Whose key is in which lane is never known here. A gateway keeps the keys of a lane that is still there under
its name, and forgets those of one that is not, so no table without such a lane is ever put in force.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from experiments.errors import EnvironmentProblem
from experiments.observe.gateway_admin import GatewayAdmin
from gateway.lane import NO_LANES, OTHERS, Lanes

_PATH = "/admin/lanes"
_NO_TABLES: Mapping[str, object] = {"classes": [], "lanes": []}


@dataclass(frozen=True, slots=True)
class SeenLanes:
    """What a gateway shows of its lanes.

    Attributes:
        version: theirs.
        lanes: as admission has them, as a first version.
        keyed: names of those that have keys.
        trusted: names of those whose clients may say for whom they ask.
        tables: as shown, which is what puts them in force again.
    """

    version: int
    lanes: Lanes
    keyed: frozenset[str]
    trusted: frozenset[str]
    tables: Mapping[str, object]

    @classmethod
    def of(cls, shown: Mapping[str, object]) -> SeenLanes:
        """From the answer to `GET /admin/lanes`. Raises KeyError, TypeError or ValueError for another one."""
        rows = _rows(shown["lanes"])
        named = {f"{row['tenant']}/{row['priority_class']}": row for row in rows}
        return cls(
            version=int(str(shown["version"])),
            lanes=_lanes(shown["classes"], rows),
            keyed=frozenset(name for name, row in named.items() if row.get("keys")),
            trusted=frozenset(name for name, row in named.items() if row.get("trusted")),
            tables={name: shown[name] for name in ("classes", "lanes", "refuse_unknown")},
        )

    def lost_in(self, lanes: Lanes) -> list[str]:
        """Names of lanes whose keys the gateway would forget with these in force."""
        kept = {lane.name for lane in lanes.lanes} if lanes.shared else frozenset[str]()
        return sorted(self.keyed - kept)


class GatewayLanes:
    """The lanes of the gateway behind `admin`.

    Raises:
        EnvironmentProblem: as `GatewayAdmin`; or it has no lanes, or other ones than it was told.
    """

    def __init__(self, admin: GatewayAdmin) -> None:
        self._admin = admin

    def seen(self) -> SeenLanes:
        """Those in force."""
        answer = self._admin.ask("GET", _PATH)
        try:
            return SeenLanes.of(answer)
        except (KeyError, TypeError, ValueError) as error:
            raise EnvironmentProblem(
                f"the gateway at {self._admin.url} reports lanes that this version cannot read ({error})"
            ) from None

    def why_not(self, tables: Collection[Lanes]) -> str | None:
        """Why these cannot be put in force one after the other, in one sentence; None where they can."""
        before = self.seen()
        if not before.lanes.shared:
            return None
        lost = sorted({name for lanes in tables for name in before.lost_in(lanes)})
        if lost:
            return self._would_forget(lost)
        if not before.trusted:
            return (
                f"no lane of the gateway at {self._admin.url} is trusted, so that no client can say for "
                "which tenant it asks: set trusted = true for the lane of the load's key (--api-key)"
            )
        return None

    def _would_forget(self, lost: Collection[str]) -> str:
        return (
            f"the gateway at {self._admin.url} would forget the keys of {', '.join(lost)}: every table of "
            "lanes must have those that have keys there"
        )

    def apply_for_a_load(self, lanes: Lanes) -> int:
        """Put them in force until `given_back`, and return their version.

        Where no lane has a key they begin without a past, and everybody may say for whom they ask: the load
        has no key of a lane there.
        """
        before = self.seen()
        if not before.keyed and before.lanes.shared:
            self._admin.ask("PUT", _PATH, _NO_TABLES)  # debts and budgets are kept by name
        return self._apply(lanes, before, trusting=not before.keyed)

    def apply(self, lanes: Lanes) -> int:
        """Put them in force to stay, and return their version; whose key is in which lane stays as it is."""
        return self._apply(lanes, self.seen(), trusting=False)

    def _apply(self, lanes: Lanes, before: SeenLanes, *, trusting: bool) -> int:
        """Read back by a second request."""
        if lost := before.lost_in(lanes):
            raise EnvironmentProblem(self._would_forget(lost))
        self._admin.ask("PUT", _PATH, _tables(lanes, trusting=trusting))
        now = self.seen()
        if now.lanes != lanes:
            raise EnvironmentProblem(
                f"the gateway at {self._admin.url} reports {now.lanes.values()} after being set to "
                f"{lanes.values()}"
            )
        return now.version

    @contextlib.contextmanager
    def given_back(self) -> Iterator[None]:
        """Whatever lanes are set inside, a gateway that lives on gets its own again, also after a crash."""
        before = self.seen()
        try:
            yield
        finally:
            with contextlib.suppress(Exception):
                if self.seen().version != before.version:
                    self._admin.ask("PUT", _PATH, before.tables)


def _rows(listed: object) -> list[Mapping[str, object]]:
    if not isinstance(listed, list):
        raise TypeError("its lanes are no list")
    return listed


def _lanes(classes: object, rows: Collection[Mapping[str, object]]) -> Lanes:
    if not rows:
        return NO_LANES
    named = [{key: row[key] for key in row if key not in ("keys", "trusted")} for row in rows]
    return Lanes.of({"classes": classes, "lanes": named})


def _tables(lanes: Lanes, *, trusting: bool) -> Mapping[str, object]:
    if not lanes.shared:
        return _NO_TABLES
    values = lanes.values()
    if trusting:
        values["lanes"] = [
            {**row, "trusted": True} if row["tenant"] == OTHERS else row for row in values["lanes"]
        ]
    return values
