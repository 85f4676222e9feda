"""All proofs."""

from rtl.prove import axi4, axi4_lite, credits, requantizer, saturation

PROOFS = (*requantizer.PROOFS, *saturation.PROOFS, *axi4.PROOFS, *axi4_lite.PROOFS, *credits.PROOFS)
