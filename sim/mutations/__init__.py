"""Planted bugs: single-line changes of the engine's source that a bench must catch and place."""
