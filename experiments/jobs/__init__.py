"""What each command does once its command line is read: apart, since a wrong flag and a help should not cost
the import of the work."""
