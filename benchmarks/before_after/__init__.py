"""Whether a change of the code changed a number that a user sees."""
