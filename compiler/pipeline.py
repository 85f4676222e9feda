"""Depth of the compute pipeline: the RTL is built to these numbers, and the cycle model counts with them."""

from dataclasses import dataclass
from enum import IntEnum

from compiler.config import EngineConfig

ADDRESS = 2  # row addresses are presented to the scratchpad
BANKS = 3  # and have their banks; others wait
WORDS = 6  # scratchpad words arrive
FEED = 7  # masked columns and vectors are registered
OPERANDS = 8  # the window has shifted; operands are selected
MULTIPLY = 9  # operands are registered
PRODUCT = 2  # cycles from operands to their products
REQUANTIZER = 9  # cycles of a requantizer lane
ENTRY = 3  # cycles from the accumulators through the result FIFO to the lanes
RESULT_PLACES = 22  # results issued and not yet requantized; no less than the pipeline needs at full rate


class InOrder(IntEnum):
    """Engines without queues: cycles from an operation to its effects."""

    ADDRESS = 1  # the word's address is presented to the scratchpad
    WORD = 2  # the word arrives
    BYTES = 3  # its bytes are registered; the address of the weights is presented
    MULTIPLY = 4  # operands are registered, weights arrive; the address of the parameters is presented
    SUM = 5  # dot products are registered, parameters arrive
    RESULT = 6  # accumulators are registered, and the lanes have them
    WRITTEN = RESULT + REQUANTIZER  # the result is written, if its lanes take one phase


@dataclass(frozen=True)
class Pipeline:
    """Engines with queues: cycles from the issue of a micro-operation to its effects, as their sizes decide.

    sum: dot products are registered.  result: accumulators are registered.  entered: the lanes have them.
    written: the result is written to the scratchpad.
    """

    sum: int
    result: int
    entered: int
    written: int


def pipeline(config: EngineConfig) -> Pipeline:
    """The pipeline of an engine: its array registers products and every level of the tree that adds them.

    Packed products are taken apart in one cycle more.
    """
    levels = (config.taps - 1).bit_length()
    summed = MULTIPLY + PRODUCT + levels + int(config.multiplier == "packed18")
    entered = summed + 1 + ENTRY
    return Pipeline(sum=summed, result=summed + 1, entered=entered, written=entered + REQUANTIZER)
