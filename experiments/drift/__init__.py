"""Whether an engine is still as fast as it was: rounds of answers against a stored baseline."""
