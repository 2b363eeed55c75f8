"""What is asked for: values only, checked before anything starts."""
