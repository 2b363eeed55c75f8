"""Deciding what to run, running it, and what it means."""
