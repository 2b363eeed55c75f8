"""A command line whose mistakes are one sentence."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn


class SentenceParser(argparse.ArgumentParser):
    """A wrong flag is one sentence and exit code 2; the usage text would bury it."""

    def error(self, message: str) -> NoReturn:
        print(f"headroom: {message}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)
