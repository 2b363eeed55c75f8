"""Live comparisons: their statistics in virtual time, their command on the emulator."""
