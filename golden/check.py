"""Checks of constructor arguments: each returns the checked value or raises WesnpuError naming it and its range."""

import math
import operator
from typing import Any

import numpy as np

from golden.errors import WesnpuError


def integer(name: str, value: Any, low: int, high: int) -> int:
    """`value` as a Python int in low..high; booleans and floats are refused."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise WesnpuError(f"{name} is {value!r}: must be an integer in {low}..{high}") from None
    if not low <= number <= high:
        raise WesnpuError(f"{name} is {number}: must be in {low}..{high}")
    return number


def integers(name: str, values: Any, count: int, low: int, high: int) -> tuple[int, ...]:
    """`values` as a tuple of `count` Python ints, each in low..high."""
    if not isinstance(values, (tuple, list)) or len(values) != count:
        raise WesnpuError(f"{name} is {values!r}: must be {count} integers in {low}..{high}")
    return tuple(integer(f"{name}[{i}]", value, low, high) for i, value in enumerate(values))


def real(name: str, value: Any, *, positive: bool = False) -> float:
    """`value` as a finite Python float, greater than zero if `positive`."""
    allowed = "a finite number > 0" if positive else "a finite number"
    if isinstance(value, (bool, str)) or not np.isscalar(value):
        raise WesnpuError(f"{name} is {value!r}: must be {allowed}")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, OverflowError):
        raise WesnpuError(f"{name} is {value!r}: must be {allowed}") from None
    if not math.isfinite(number) or (positive and number <= 0):
        raise WesnpuError(f"{name} is {value!r}: must be {allowed}")
    return number


def text(name: str, value: Any) -> str:
    """`value` as a string that is not empty and that UTF-8 can hold (a file name of other bytes it cannot)."""
    if not isinstance(value, str) or not value:
        raise WesnpuError(f"{name} is {value!r}: must be a string that is not empty")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise WesnpuError(f"{name} is {value!r}: must be text that UTF-8 can hold")
    return value


def array(name: str, value: Any, dtype: type, ndim: int, low: int, high: int) -> np.ndarray:
    """A read-only copy of the integer array `value`: exactly this dtype and ndim, not empty, elements in low..high."""
    want = f"{np.dtype(dtype).name} of {ndim} dimension(s), not empty"
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.ndim != ndim or value.size == 0:
        have = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise WesnpuError(f"{name} is {have}: must be an array of {want}")
    if int(value.min()) < low or int(value.max()) > high:
        raise WesnpuError(f"{name} spans {value.min()}..{value.max()}: every element must be in {low}..{high}")
    copy = np.array(value, order="C")
    copy.setflags(write=False)
    return copy
