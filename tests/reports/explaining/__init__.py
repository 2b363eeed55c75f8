"""Production that never was: hours of traffic with an incident planted in them, played by the twin."""
