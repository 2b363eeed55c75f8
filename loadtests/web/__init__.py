"""Our part of Locust's web page, and the live numbers behind it."""
