"""A UART, 8 data bits, no parity, 1 stop bit, at a fixed number of clock cycles per bit."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

DATA_BITS = 8
LEAST_DIVISOR, MOST_DIVISOR = 4, 65535


def _check(divisor: int) -> int:
    if not LEAST_DIVISOR <= divisor <= MOST_DIVISOR:
        raise ValueError(f"UART divisor = {divisor!r} must be in {LEAST_DIVISOR}..{MOST_DIVISOR} cycles per bit")
    return divisor


class UartReceiver(wiring.Component):
    """Bytes from an asynchronous line.

    The line passes two flip-flops. A bit is sampled once, in its middle, counted from the start bit's falling edge; a
    start bit that is gone by its middle was none. After a missing stop bit the line must be high before the next byte.

    Latency: from the middle of the stop bit 3 cycles to `valid` or `error`.

    Parameters: divisor: clock cycles per bit, 4..65535.

    Members: `line`, high when idle; `data`, `valid`: a byte, for one cycle; `error`, for one cycle: no stop bit.
    """

    def __init__(self, *, divisor: int):
        self._divisor = _check(divisor)
        super().__init__({"line": In(1, init=1), "data": Out(DATA_BITS), "valid": Out(1), "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        line, timer, left = Signal(init=1), Signal(range(self._divisor)), Signal(range(DATA_BITS + 2))
        sample = Signal()
        m.submodules.synchronizer = FFSynchronizer(self.line, line, init=1)
        m.d.comb += sample.eq(timer == 0)
        m.d.sync += [self.valid.eq(0), self.error.eq(0), timer.eq(timer - 1)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [timer.eq(self._divisor // 2 - 1), left.eq(DATA_BITS + 1)]
                with m.If(~line):
                    m.next = "BITS"
            with m.State("BITS"):
                with m.If(sample):
                    m.d.sync += [timer.eq(self._divisor - 1), left.eq(left - 1)]
                    with m.If(left == DATA_BITS + 1):
                        with m.If(line):
                            m.next = "IDLE"
                    with m.Elif(left == 0):
                        m.d.sync += [self.valid.eq(line), self.error.eq(~line)]
                        m.next = "HIGH"
                        with m.If(line):
                            m.next = "IDLE"
                    with m.Else():
                        m.d.sync += self.data.eq(Cat(self.data[1:], line))
            with m.State("HIGH"):
                with m.If(line):
                    m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Bytes to an asynchronous line, which rests high.

    Latency: 1 cycle from the taken byte to its start bit. Throughput: one byte per 10 * divisor + 1 cycles.

    Parameters: divisor: clock cycles per bit, 4..65535.

    Members: `i`: stream of bytes; `line`.
    """

    def __init__(self, *, divisor: int):
        self._divisor = _check(divisor)
        super().__init__({"i": In(stream.Signature(DATA_BITS)), "line": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        timer, left = Signal(range(self._divisor)), Signal(range(DATA_BITS + 3))
        rest = Signal(DATA_BITS + 1, init=-1)
        m.d.comb += self.i.ready.eq(left == 0)
        with m.If(left == 0):
            with m.If(self.i.valid):
                m.d.sync += [
                    self.line.eq(0), rest.eq(Cat(self.i.payload, 1)), left.eq(DATA_BITS + 2),
                    timer.eq(self._divisor - 1),
                ]
        with m.Elif(timer == 0):
            m.d.sync += [
                self.line.eq(rest[0]), rest.eq(Cat(rest[1:], 1)), left.eq(left - 1), timer.eq(self._divisor - 1),
            ]
        with m.Else():
            m.d.sync += timer.eq(timer - 1)
        return m
