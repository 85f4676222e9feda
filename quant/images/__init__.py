"""Images as users have them, to batches of the float network's input."""
