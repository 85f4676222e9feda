"""A FIFO that is written by a pipeline which cannot stall, kept from overflowing by credits."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.queue import Queue


class CreditFifo(wiring.Component):
    """Results are announced before they exist: each `take` reserves the place that one later `push` fills.

    Contract of the user: `take` only in cycles with `credit_available`; every take is followed by exactly one push,
    in the same cycle or any number of cycles later. Then entries in the FIFO + results on the way = places taken <=
    depth at all times, so `push` never meets a full FIFO. A place is free again when its entry has been popped.

    Latency: from push to `o.valid` 2 cycles or fewer; from pop to credit 1 cycle; `credit_available` is a register.
    Throughput: one entry per cycle when depth is at least the pipeline's latency + 3.

    Parameters: width: bits of an entry, at least 1.  depth: places, at least 3 (the buffered FIFO inside refuses its
    second entry for a cycle when it has only two places).  memory: of `rtl.queue.Queue`.

    Members: `credit_available`, `take`: reservation; `push`, `push_data`; `o`: stream of entries in push order.
    """

    def __init__(self, *, width: int, depth: int, memory: str = "distributed"):
        for name, value, least in (("width", width, 1), ("depth", depth, 3)):
            if value < least:
                raise ValueError(f"CreditFifo {name} = {value!r} must be at least {least}")
        self._depth = depth
        self._entries = Queue(width=width, depth=depth, memory=memory, never_full=True)
        self._taken = Signal(range(depth + 1))
        super().__init__(
            {
                "credit_available": Out(1, init=1),
                "take": In(1),
                "push": In(1),
                "push_data": In(width),
                "o": Out(stream.Signature(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.entries = entries = self._entries
        popped = Signal()
        m.d.comb += [
            entries.w_data.eq(self.push_data),
            entries.w_en.eq(self.push),
            self.o.payload.eq(entries.r_data),
            self.o.valid.eq(entries.r_rdy),
            popped.eq(self.o.valid & self.o.ready),
            entries.r_en.eq(popped),
        ]
        last = self.take & (self._taken == self._depth - 1)
        m.d.sync += [
            self._taken.eq(self._taken + self.take - popped),
            self.credit_available.eq(popped | (self.credit_available & ~last)),
        ]
        return m
