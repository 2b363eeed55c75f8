"""What a person types, and what a command shows while it runs."""
