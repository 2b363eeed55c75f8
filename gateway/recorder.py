"""Keeps a row of every finished completion, where the operator asked for it: see docs/recording.md."""

import secrets
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from gateway import record_row
from gateway.asked import Asked
from gateway.background_writer import BackgroundWriter
from gateway.call import Call
from gateway.lane_book import KnownLane
from gateway.outcome import Outcome, Route
from gateway.packer import Packer
from gateway.prefix_hashes import PrefixHashes
from gateway.refusal import Fields
from gateway.salt import SaltError, read_or_make
from gateway.segments import LOOK_EVERY_S, Bounds, Segments
from gateway.settings import BadSettingError, Settings

WRITES_EVERY_S = 0.25
"""How long a row may wait for the disk; what a kill -9 takes with it."""
_DAY_S = 86_400.0


class Recorder:
    """Rows on their way to the disk. clock: Unix seconds. A request only puts a line into a queue; what the
    disk does not take is lost, and counted.
    """

    def __init__(
        self,
        segments: Segments,
        packer: Packer,
        prefixes: PrefixHashes,
        session_header: bytes,
        log: FilteringBoundLogger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.prefixes = prefixes
        self.written = 0
        self._unwritten = 0
        self._segments = segments
        self._packer = packer
        self._session_header = session_header
        self._log = log
        self._clock = clock
        self._fails = False
        self._look_s = 0.0
        self._writer: BackgroundWriter[bytes] = BackgroundWriter(
            self._write, "record-writer", WRITES_EVERY_S, LOOK_EVERY_S / 2
        )

    @property
    def lost(self) -> int:
        """Rows that the disk did not take, or that found no room in the queue."""
        return self._unwritten + self._writer.dropped

    @property
    def disk_bytes(self) -> int:
        """What the folder holds."""
        return self._segments.bytes

    def start(self) -> None:
        self._packer.start()  # a gateway that was killed left a segment behind
        self._writer.start()

    def stop(self) -> None:
        """Writes what is queued, for a moment."""
        if self._writer.stop():
            self._segments.close()

    def at_door(self, fields: Fields, lane: KnownLane | None) -> Asked:
        """What the head of a request tells."""
        name, length = fields.get(self._session_header), fields.get(b"content-length")
        session = self.prefixes.of_session(name) if name else b""
        return Asked("" if lane is None else lane.name, session, None if length is None else int(length))

    def keep(self, call: Call, outcome: Outcome, ended_s: float) -> None:
        """A completion that has ended; ended_s: on its own clock."""
        if call.asked is not None:
            zero_unix_s = self._clock() - ended_s
            self._writer.put(record_row.line(call, call.asked, outcome, ended_s, zero_unix_s))

    def keep_refused(self, route: Route, outcome: Outcome, code: int, asked: Asked, spent_s: float) -> None:
        """One that was refused before it became a call, `spent_s` after its head was read."""
        arrived_unix_s = self._clock() - spent_s
        self._writer.put(record_row.refused_line(route, outcome, code, asked, spent_s, arrived_unix_s))

    def _write(self, lines: Sequence[bytes]) -> None:
        now_s = self._clock()
        try:
            if not 0 <= self._look_s - now_s <= LOOK_EVERY_S:
                self._look_s = now_s + LOOK_EVERY_S / 2
                self._packer.look()
                self._segments.look(now_s)
            if lines:
                self._segments.write(lines, now_s)
                self.written += len(lines)
                self._is_well()
        except OSError as error:
            self._unwritten += len(lines)
            self._is_ill(error)

    def _is_well(self) -> None:
        if self._fails:
            self._fails = False
            self._log.info("records are kept again", lost=self.lost)

    def _is_ill(self, error: OSError) -> None:
        if not self._fails:
            self._fails = True
            self._log.warning("records are lost", why=error.strerror, folder=str(self._segments.folder))


def of_settings(settings: Settings, log: FilteringBoundLogger) -> Recorder | None:
    """The recorder that the settings ask for, or None. Makes its folder and its salt. Raises BadSettingError
    where it cannot.
    """
    if settings.record_dir is None:
        return None
    folder = Path(settings.record_dir).absolute()
    salt_file = Path(settings.record_salt_file or f"{folder}.salt").absolute()
    if salt_file.is_relative_to(folder):
        raise BadSettingError(f"RECORD_SALT_FILE={salt_file}: allowed: a file outside of RECORD_DIR")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / f".{secrets.token_hex(4)}").open("xb") as trial:
            Path(trial.name).unlink()
        salt = read_or_make(salt_file)
    except OSError as error:
        raise BadSettingError(f"RECORD_DIR={folder}: cannot be written: {error.strerror}") from None
    except SaltError as error:
        raise BadSettingError(f"RECORD_SALT_FILE={salt_file}: {error}") from None
    bounds = Bounds(settings.record_max_bytes, settings.record_keep_days * _DAY_S)
    salt_id = blake2b(key=salt, digest_size=6, person=b"id").hexdigest()
    packer = Packer(folder, lambda why: log.warning("segments stay lines", why=why))
    segments = Segments(folder, record_row.head(secrets.token_hex(8), salt_id), bounds, packer.start)
    header = settings.record_session_header.lower().encode()
    return Recorder(segments, packer, PrefixHashes(salt), header, log)
