"""From answers of a real engine to a model of it, and how wrong that model is."""
