"""From part of a scratchpad word to the array's operands or a residual operand, for engines without queues."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import SEQUENTIAL_TAPS, WORD_BYTES, EngineConfig


def pieces(config: EngineConfig) -> int:
    """Pieces of a word that can be selected: each has the bytes of a lane group or a vector, whichever are fewer."""
    return WORD_BYTES // min(config.lanes, config.taps)


def fine_bits(config: EngineConfig) -> int:
    """Bits of a piece's number that tell it among those that the scratchpad reads at once."""
    return (config.port_bytes // min(config.lanes, config.taps) - 1).bit_length()


class InOrderOperands(wiring.Component):
    """DENSE: the `taps` bytes of a vector for all lanes; SEQUENTIAL: a byte for each lane, at one tap.

    Members: `part` with `inside` (else all bytes are the zero point) and `piece`, where the vector or lane group begins
    in it; `sequential`, `zero_point`: steady; a cycle later `tap` belongs to it and `lane_bytes` shows the lane
    group; another cycle later `x[0][lane][tap]`. No flow control.
    """

    latency = 2

    def __init__(self, config: EngineConfig):
        self._config = config
        lane_taps = data.ArrayLayout(data.ArrayLayout(8, config.taps), config.lanes)
        super().__init__(
            {
                "part": In(config.port_bytes * 8),
                "inside": In(1),
                "piece": In(fine_bits(config)),
                "sequential": In(1),
                "zero_point": In(8),
                "tap": In(range(SEQUENTIAL_TAPS)),
                "lane_bytes": Out(config.lanes * 8),
                "x": Out(data.ArrayLayout(lane_taps, 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, taps = self._config.lanes, self._config.taps
        vector = self._vector(m)
        with m.If(self.sequential):
            for lane in range(lanes):
                byte = self.lane_bytes.word_select(lane, 8)
                m.d.sync += [self.x[0][lane][t].eq(Mux(self.tap == t, byte, 0)) for t in range(taps)]
        with m.Else():
            for lane in range(lanes):
                m.d.sync += [self.x[0][lane][t].eq(vector.word_select(t, 8)) for t in range(taps)]
        return m

    def _vector(self, m):
        """Selects once the part is registered; drives `lane_bytes`, returns the vector."""
        lanes, taps = self._config.lanes, self._config.taps
        wide, narrow = max(lanes, taps), min(lanes, taps)
        held, later = Signal(wide * 8, reset_less=True), Signal.like(self.piece, reset_less=True)
        m.d.sync += [
            held.eq(Mux(self.inside, self.part, Cat(*[self.zero_point] * wide))), later.eq(self.piece),
        ]
        selected = held.word_select(later, narrow * 8) if len(later) else held
        m.d.comb += self.lane_bytes.eq(held if lanes == wide else selected)
        return held if taps == wide else selected
