"""Formal proofs of the requantizer, the streams and the credits: make prove (docs/verification.md)."""
