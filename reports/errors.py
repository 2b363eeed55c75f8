"""The user's mistakes."""


class NotARunError(Exception):
    """The path is not a run folder; the message is one sentence for the user."""
