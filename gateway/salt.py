"""The secret that makes the recorder's hashes unguessable: one file, readable by its owner only."""

import os
import secrets
from pathlib import Path

SALT_BYTES = 32


class SaltError(ValueError):
    """The salt cannot be used; the text is a clause that says why."""


def read_or_make(path: Path) -> bytes:
    """The salt in this file, drawn and written where there is none. Raises SaltError.

    With another salt the same prompt has another hash: rows from before and after are not comparable.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise SaltError(f"cannot be read: {error.strerror}") from None
    try:
        return _make(path)
    except FileExistsError:  # another gateway was faster
        return _read(path)
    except OSError as error:
        raise SaltError(f"cannot be written: {error.strerror}") from None


def _read(path: Path) -> bytes:
    others = path.stat().st_mode & 0o077
    if others:
        raise SaltError(f"can be read by others (mode {path.stat().st_mode & 0o777:o}); allowed: mode 600")
    salt = path.read_bytes()
    if len(salt) != SALT_BYTES:
        raise SaltError(f"holds {len(salt)} bytes; allowed: {SALT_BYTES}, or no file, and one is made")
    return salt


def _make(path: Path) -> bytes:
    salt = secrets.token_bytes(SALT_BYTES)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(salt)
    return salt
