"""The watch: its test, its rounds, its probes, its page."""
