"""What calibration images tell: ranges of tensors, moments, and the integers of a network that is still learning."""
