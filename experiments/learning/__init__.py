"""What a recording of production tells without a load test: the engine's model, and what other settings would
do."""
