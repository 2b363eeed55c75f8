"""Statistics on what was measured; no I/O."""
