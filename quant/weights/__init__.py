"""Integer weights of one operation: scales and shifts, and the ways to choose and round them."""
