"""The signatures between the engine core and its surroundings: memory side, control, counters, trace."""

from enum import IntEnum

from amaranth.hdl import signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

BEAT_BITS = 128  # one beat of the memory side, for every bus width
BURST_BEATS = 16  # longest request: 256 bytes, never crossing a 256-byte boundary


class Request(data.Struct):
    """A burst: byte address (a multiple of 16) and beats - 1. It never crosses a 256-byte boundary."""

    address: unsigned(32)
    length: unsigned(4)


class ReadBeat(data.Struct):
    """16 bytes read; `error` when the bus answered with an error."""

    data: unsigned(BEAT_BITS)
    error: unsigned(1)


class WriteBeat(data.Struct):
    """16 bytes to write; `last` on the last beat of a burst."""

    data: unsigned(BEAT_BITS)
    last: unsigned(1)


class WriteResponse(data.Struct):
    """One per write burst, in order, sent when the data is visible to every reader."""

    error: unsigned(1)


#: Memory side, seen from the engine: read bursts are answered in request order, write responses in burst order.
Memory = wiring.Signature(
    {
        "read_request": Out(stream.Signature(Request)),
        "read_data": In(stream.Signature(ReadBeat)),
        "write_request": Out(stream.Signature(Request)),
        "write_data": Out(stream.Signature(WriteBeat)),
        "write_response": In(stream.Signature(WriteResponse, always_ready=True)),
    }
)


class Error(IntEnum):
    """Why a program stopped."""

    NONE = 0
    UNIT = 1  # unknown unit in a command
    FIELD = 2  # a field outside its range
    SCRATCHPAD = 3  # a scratchpad address beyond the memory
    REGION = 4  # an external address outside the region
    READ_BUS = 5  # error response on a read
    WRITE_BUS = 6  # error response on a write
    TIMEOUT = 7  # the memory stopped answering
    ABORTED = 8  # soft reset while busy


class Cause(IntEnum):
    """The one cause of a cycle, in order of priority (first that holds)."""

    ACTIVE = 0  # the array was given operands that count
    FILL = 1  # the window unit was filled at the start of a row
    PROGRAM = 2  # no COMPUTE command was there
    REQUANTIZER = 3  # no room for a result, or waiting for own earlier results
    STORE = 4  # waiting for STORE commands
    BUS = 5  # waiting for weights or activations, while no read data came
    WEIGHTS = 6  # waiting for WEIGHTS commands
    ACTIVATIONS = 7  # waiting for LOAD commands


#: Control, seen from the engine. `start` is a one-cycle pulse, ignored while `busy`; `done` pulses for one cycle when
#: busy falls.
Control = wiring.Signature(
    {
        "start": In(1),
        "soft_reset": In(1),  # pulse: stop issuing, drain the bus, idle with Error.ABORTED
        "program_offset": In(32),  # byte offset of the first command in the image region, a multiple of 16
        "image_base": In(32),
        "image_size": In(32),  # bytes; region [base, base + size), both multiples of 64
        "data_base": In(32),
        "data_size": In(32),
        "timeout": In(32),  # cycles without progress on the bus while waiting for it; 0 disables
        "busy": Out(1),
        "done": Out(1),
        "error": Out(4),  # Error; holds until the next start
        "error_command": Out(16),  # number of the command (0 = first of the program) that caused it
    }
)


def counters_signature() -> wiring.Signature:
    """Cycle counters since start: total, then one per Cause, and read / write beats; they hold after done."""
    members = {"cycles": Out(32), "read_beats": Out(32), "write_beats": Out(32)}
    members |= {cause.name.lower(): Out(32) for cause in Cause}
    return wiring.Signature(members)


def trace_signature(*, pixels: int, lanes: int, guard_bits: int) -> wiring.Signature:
    """Simulation builds only: every result write of the requantizer, and the cause of every cycle.

    A write puts `lanes` bytes of each pixel at scratchpad word `address_i`, byte `sub * lanes`; pixel i only if its bit
    in `pixel_valid` is set. With `residual` the product is p of Eq. 4 before r is added.
    """
    members = {
        "valid": Out(1),
        "layer": Out(16),  # of the write
        "sub": Out(3),
        "pixel_valid": Out(pixels),
        "cause_valid": Out(1),  # the engine is busy
        "cause": Out(4),
        "cause_layer": Out(16),  # layer of the COMPUTE command being issued or waited for; else the last one
    }
    for pixel in range(pixels):
        members |= {
            f"address_{pixel}": Out(16),
            f"output_{pixel}": Out(lanes * 8),
            f"acc_{pixel}": Out(lanes * 32),
            f"shifted_{pixel}": Out(lanes * (guard_bits + 11)),
            f"product_{pixel}": Out(lanes * (guard_bits + 27)),
        }
    return wiring.Signature(members)


class LayerConstants(data.Struct):
    """What one layer's requantization needs besides the accumulators (Eq. 2..7)."""

    multiplier: unsigned(16)
    exponent: unsigned(5)
    output_zero_point: signed(8)
    low: signed(8)
    high: signed(8)
    residual: unsigned(1)
    residual_multiplier: unsigned(16)
    residual_zero_point: signed(8)
