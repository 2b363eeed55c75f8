"""A run inside Locust's processes: local, master or worker."""
