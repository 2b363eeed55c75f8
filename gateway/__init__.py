"""Admission-controlled gateway in front of one vLLM engine; knows nothing of load or experiments."""
