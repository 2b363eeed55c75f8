"""Measuring: the stack, the probe, one cell after another, and what each of them showed."""
