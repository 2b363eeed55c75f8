"""Making load and timing answers; knows nothing of the gateway's inside or of sweeps."""
