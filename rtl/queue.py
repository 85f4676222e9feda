"""The FIFO of the access side: amaranth's, whose places lie where the engine has room for them."""

from amaranth.lib import fifo

from rtl.bank import UNORDERED

#: What synthesis is told of a queue's memory (`EngineConfig.queue_memory`); a place is never read while it is written.
ATTRIBUTES = {"distributed": UNORDERED, "block": UNORDERED | {"ram_style": "block"}}


class Queue(fifo.SyncFIFOBuffered):
    """`depth` entries of `width` bits, in `memory`.

    Latency: 2 cycles, wherever they lie; throughput: one entry per cycle. In block RAM `r_data` comes late in a cycle:
    what follows should be a register.
    """

    def __init__(self, *, width: int, depth: int, memory: str = "distributed"):
        self._memory = memory
        super().__init__(width=width, depth=depth)

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.submodules.storage.attrs.update(ATTRIBUTES[self._memory])
        return m
