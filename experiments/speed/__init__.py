"""How fast the engine was, from the answers alone: pure, without counters and without a calibration."""
