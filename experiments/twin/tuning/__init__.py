"""How `tune` decides: pure functions over predictions and measured runs, for a live engine and for virtual
time.
"""
