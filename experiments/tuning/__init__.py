"""Choosing with a model: what it predicts, which cells are measured, what follows."""
