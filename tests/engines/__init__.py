"""Engines other than ours, scripted at the wire, and what the product makes of them."""
