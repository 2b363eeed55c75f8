"""One record per request, and what a run of them adds up to."""
