"""Recorded traces: reading the files of many tools, scaling what was read, replaying it as a plan."""
