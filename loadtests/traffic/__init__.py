"""Recorded traffic: what a gateway with RECORD_DIR kept of the requests that it served."""
