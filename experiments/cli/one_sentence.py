"""A command line whose mistakes are one sentence."""

import argparse
from typing import NoReturn

from experiments.errors import UserError


class OneSentenceParser(argparse.ArgumentParser):
    """A wrong flag is one sentence and exit code 2, like every other mistake; the usage text would bury
    it."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")
