"""All proofs."""

from rtl.prove import credits, requantizer, saturation, streams

PROOFS = (*requantizer.PROOFS, *saturation.PROOFS, *streams.PROOFS, *credits.PROOFS)
