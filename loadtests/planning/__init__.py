"""What will be sent, and when: decided before a run starts."""
