"""Whether the first sweep is right on a machine that is not quiet: real runs, repeated under planted work."""
