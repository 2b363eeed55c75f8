"""The admission gateway in front of one LLM engine: `python -m gateway`."""
