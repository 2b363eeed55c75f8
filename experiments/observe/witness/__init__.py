"""What the machine was while a cell was measured: who else computed on it, and what held it back."""
