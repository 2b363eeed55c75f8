"""From measured cells to a setting, and from two runs to a verdict."""
