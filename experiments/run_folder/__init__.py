"""What is on disk: the one interface between sweep, report, comparison and notebooks."""
