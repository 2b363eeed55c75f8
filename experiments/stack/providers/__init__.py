"""One row for each engine that can serve a run. A new one is a module here and its name in `known`."""
