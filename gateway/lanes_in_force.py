"""The lanes of this moment: who is in which, and admission, which goes by them."""

from gateway.lane import Lanes
from gateway.lane_book import LaneBook
from gateway.lane_tables import LaneTables, next_lanes
from gateway.waiting import WaitingRoom


class LanesInForce:
    """Replaced as a whole, between two requests. book: None where there are no lanes."""

    def __init__(self, room: WaitingRoom, book: LaneBook | None) -> None:
        self._room = room
        self.book = book
        self.changes = 0
        if book is not None:
            room.relane(book.lanes)

    @property
    def lanes(self) -> Lanes:
        """What admission goes by."""
        return self._room.admission.lanes

    def replace(self, tables: LaneTables) -> None:
        """Puts what `tables` mean in force, as the next version. Raises LanesError: nothing has changed."""
        found = next_lanes(tables, self.book, self.lanes.version + 1)
        self._room.relane(found.lanes)
        self.book = found.book
        self.changes += 1
