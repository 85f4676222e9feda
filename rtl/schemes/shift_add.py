"""A product of few bits without a multiplier: a row of adders for two bits of one operand each."""

from amaranth.hdl import Mux

from rtl.delay import delayed

DIFFERENCE_BITS, MULTIPLIER_BITS = 9, 16
STAGES = 3  # registers from the operands to the parts


def shift_add(m, difference, multiplier) -> tuple:
    """Two numbers whose sum is difference * multiplier, three registers later.

    difference: 9 bits signed.  multiplier: 16 bits unsigned.  A gate for each bit in front of an adder lies inside it
    (fpga/adder_gates.py), so two rows of a bit each are one adder.  Rows of no more than two addends a register:
    synthesis would make compressors of more.
    """
    pairs = [_register(m, f"pair_{bit}", _gated(difference[bit : bit + 2], multiplier)) for bit in range(0, 8, 2)]
    sign, above = _register(m, "sign", difference[8]), _register(m, "above", multiplier)

    low = _register(m, "low", pairs[0] + (pairs[1] << 2))
    middle = _register(m, "middle", pairs[2])
    high = _register(m, "high", pairs[3] - (Mux(sign, above, 0) << 2))

    return _register(m, "lower", low + (middle << 4)), _register(m, "upper", high) << 6


def _gated(bits, multiplier):
    """Two bits times `multiplier`."""
    return Mux(bits[0], multiplier, 0) + (Mux(bits[1], multiplier, 0) << 1)


def _register(m, name, value):
    return delayed(m, value, 1, name=f"residual_{name}", reset_less=True)
