"""Sending the planned requests and reading the answers."""
