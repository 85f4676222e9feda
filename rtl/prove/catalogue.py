"""All proofs."""

from rtl.prove import requantizer

PROOFS = requantizer.PROOFS
