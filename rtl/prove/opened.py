"""A copy of an RTL module whose inner signals and FIFOs a harness can see, for claims by induction.

Induction starts from any state in which the claims hold, so a harness must say how what is inside belongs to what went
in. The copy records every signal it makes by name, and its FIFOs let any entry be read.
"""

from types import ModuleType

from amaranth.hdl import Assert, Module, Mux, Signal

from rtl.queue import Queue


class _Recorder:
    """Stands in the copy for amaranth's Signal."""

    like = staticmethod(Signal.like)

    def __init__(self):
        self.found = {}

    def __call__(self, *arguments, src_loc_at: int = 0, **options):
        signal = Signal(*arguments, src_loc_at=src_loc_at + 1, **options)
        self.found[(signal if isinstance(signal, Signal) else signal.as_value()).name] = signal
        return signal


class SeenQueue(Queue):
    """rtl/queue.py, of which any entry can be read, wherever it lies; `entry(m, i)` leaves after i others."""

    def __init__(self, *, width: int, depth: int, memory: str = "distributed", never_full: bool = False):
        super().__init__(width=width, depth=depth, memory=memory, never_full=never_full)
        self._first, self._next = Signal(range(self._places + 1)), Signal(range(self._places + 1))
        self._peeks: list[tuple[Signal, Signal]] = []

    def elaborate(self, platform):
        m = super().elaborate(platform)
        storage = m.submodules.storage
        m.d.comb += [self._next.eq(storage.write_ports[0].addr), self._first.eq(storage.read_ports[0].addr)]
        for place, entry in self._peeks:
            port = storage.read_port(domain="comb")
            m.d.comb += [port.addr.eq(place), entry.eq(port.data)]
        return m

    def _stored(self, m: Module, index) -> Signal:
        """The entry `index` places behind the first in the memory."""
        place, entry = Signal(range(self._places)), Signal(self.width)
        sum_ = self._first + index
        m.d.comb += place.eq(Mux(sum_ >= self._places, sum_ - self._places, sum_))
        self._peeks.append((place, entry))
        return entry

    def entry(self, m: Module, index) -> Signal:
        """The first entry is in the read port's register."""
        found = Signal(self.width)
        m.d.comb += found.eq(Mux(self.r_rdy & (index == 0), self.r_data, self._stored(m, index - self.r_rdy)))
        return found

    def is_well_formed(self, m: Module) -> None:
        """Asserts what holds in every state the FIFO can reach."""
        stored = self.level - self.r_rdy
        end = self._first + stored
        m.d.comb += [
            Assert(self._first < self._places),
            Assert(self._next == Mux(end >= self._places, end - self._places, end)),
            Assert((self.level >= self.r_rdy) & (stored <= self._places)),
            Assert((self._some == (stored != 0)) & (self.w_rdy == (stored != self._places))),
            Assert((self.level < 2) | self.r_rdy),
        ]


def opened(copy: ModuleType) -> dict[str, Signal]:
    """Opens a copy (rtl.prove.proof.copy_of): the signals it makes from now on, by name."""
    recorder = _Recorder()
    names = vars(copy)
    names["Signal"] = recorder
    names["Queue"] = SeenQueue
    return recorder.found
