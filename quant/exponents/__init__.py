"""The exponents of a power-of-two network and the search for them (RAPQ, 2204.12322)."""
