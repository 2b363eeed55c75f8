"""How one gateway bears many: streams, idle connections, waiting requests, refusals, and time."""
