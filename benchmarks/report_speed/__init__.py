"""How long the report takes on a small run and on a large one, beside the code of another revision."""
