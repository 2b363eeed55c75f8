"""What a token, an end and an error are, written once: every reader is held to the same table."""
