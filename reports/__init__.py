"""Turning run folders into pages, tables and figures; computes no result."""
