# amaranth: UnusedElaboratable=no
"""The requantizer lanes that are compared, by name."""

from collections.abc import Callable

from rtl.schemes.double_rounding import DoubleRoundingLane
from rtl.schemes.lane import SchemeLane
from rtl.schemes.multiplier import MultiplierLane
from rtl.schemes.power_of_two import PowerOfTwoLane
from rtl.schemes.shift_scaler import ResidualByAddersLane, ShiftScalerLane

SCHEMES: dict[str, Callable[[], SchemeLane]] = {
    "shift-4": lambda: ShiftScalerLane(4),
    "shift-4-adders": lambda: ResidualByAddersLane(4),
    "shift-3": lambda: ShiftScalerLane(3),
    "shift-2": lambda: ShiftScalerLane(2),
    "half-step": lambda: ShiftScalerLane(3, half_step=True),
    "power-of-two": PowerOfTwoLane,
    "multiplier-16": lambda: MultiplierLane(16),
    "multiplier-32": lambda: MultiplierLane(32),
    "double-rounding": DoubleRoundingLane,
}
