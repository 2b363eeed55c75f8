"""How near a replay comes to what was recorded."""
