"""Narrow shift fields: n_c in fewer than 4 bits, as an engine with a smaller parameter memory would store it."""

from quant.plan.plan import Plan


def shift_field_of_3_bits(plan: Plan) -> None:
    """n_c in 0..7."""
    plan.largest_shift = 7


def shift_field_of_2_bits(plan: Plan) -> None:
    """n_c in 0..3."""
    plan.largest_shift = 3
