"""A file of requests, sent with what the others leave of the engine; each line gets one result line."""
