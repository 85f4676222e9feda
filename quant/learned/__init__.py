"""Methods that learn by gradients, in torch (extra train): rounding by blocks, fine-tuning of exponents."""
