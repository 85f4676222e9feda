"""From a place of the walk to its micro-operation: the sums and comparisons that no decision of the walk needs."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from compiler.config import SEQUENTIAL_TAPS, EngineConfig
from compiler.encoding import Mode
from rtl.microop import CONTEXTS, micro_op


def place_layout(config: EngineConfig) -> data.StructLayout:
    """A place of the walk.

    left: column of the left pixel; input: word address of column 0 of row offset 0; image_row, kernel_offset: of the
    row that a kernel position reads; offset, valid: of a window's rows (rtl.row_plan); windowed, double: of the
    command (rtl.row_plan.step_shape). The rest are fields of the micro-operation, its result, or the command.
    """
    return data.StructLayout(
        {
            **dict.fromkeys(("feed", "compute", "first", "last", "late"), 1),
            "pass_number": 4,
            "vector_sub": 2,
            "tap": range(SEQUENTIAL_TAPS),
            "weight_row": range(config.weight_rows),
            "left": signed(18),
            "input": 16,
            "image_row": signed(18),
            "kernel_offset": 16,
            **dict.fromkeys(("address", "residual_address"), 16),
            "pixel_valid": config.pixels,
            "command_last": 1,
            **dict.fromkeys(("windowed", "grid5", "wide", "double", "residual", "partial"), 1),
            "mode": 2,
            "input_height": 16,
            "input_width": 16,
            "zero_point": 8,
            "offset": data.ArrayLayout(16, config.row_ports),
            "valid": config.row_ports,
            "parameter_row": range(config.parameter_rows),
            "sub": 3,
            "context": range(CONTEXTS),
        }
    )


class Place(wiring.Component):
    """Holds one place of the walk and issues its micro-operation when there is room.

    Members: `next`, `next_valid`: the walk's place, taken with `room`; `waits`: a place is held; `issue`, `takes_room`,
    `wants_residual`, `residual_address`: rtl.planned_walk.walk_members.
    Latency: 1 cycle.
    """

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__(
            {
                "next": In(place_layout(config)),
                "next_valid": In(1),
                "room": In(1),
                "waits": Out(1),
                "issue": Out(micro_op(config)),
                "takes_room": Out(1),
                "wants_residual": Out(1),
                "residual_address": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._place = place = Signal(place_layout(self._config), name="held", reset_less=True)
        issue, result = self.issue, self.issue.result
        with m.If(self.room):
            m.d.sync += [place.eq(self.next), self.waits.eq(self.next_valid)]
        same = ("feed", "compute", "first", "last", "late", "pass_number", "vector_sub", "tap", "weight_row",
                "grid5", "wide", "mode", "zero_point", "parameter_row")
        m.d.comb += [
            *(issue[name].eq(place[name]) for name in same),
            *(result[name].eq(place[name]) for name in ("address", "pixel_valid", "command_last", "partial", "residual",
                                                        "sub", "context")),
            issue.valid.eq(self.waits & self.room),
            issue.group_sub.eq(Mux(place.mode == Mode.GATHER, 0, place.sub)),
            issue.base_x.eq(place.input + place.left),
            self.takes_room.eq(issue.valid & place.last),
            self.wants_residual.eq(place.residual),
            self.residual_address.eq(place.residual_address),
        ]
        self._columns(m)
        self._rows(m)
        return m

    def _inside(self, at):
        return (at >= 0) & (at < self._place.input_width)

    def _columns(self, m) -> None:
        """Which columns lie in the image; of rows 3 .. 5 those further right of a double feed, else the same."""
        place, issue, pixels = self._place, self.issue, self._config.pixels
        for pixel in range(pixels):
            m.d.comb += issue.column_valid[pixel].eq(self._inside(place.left + pixel))
            if self._config.double_feeds:
                further = self._inside(place.left + pixels + pixel)
                m.d.comb += issue.right_valid[pixel].eq(Mux(place.double, further, issue.column_valid[pixel]))
        if self._config.double_feeds:
            m.d.comb += issue.at_edge.eq(place.double & (place.left <= 0))

    def _rows(self, m) -> None:
        """Slot offsets of the rows that are read: all of a window, or the kernel position's."""
        place, issue = self._place, self.issue
        smaller = Mux(place.double, 0b111111, 0b00111) if self._config.double_feeds else 0b00111
        window_rows = Mux(place.feed, Mux(place.grid5, 0b11111, smaller), 0)
        m.d.comb += [
            issue.offset.eq(place.offset),
            issue.row_valid.eq(place.valid),
            issue.row_used.eq(Mux(place.windowed, window_rows, 1)),
            issue.offset[0].eq(place.kernel_offset),
        ]
        with m.If(~place.windowed):
            m.d.comb += issue.row_valid[0].eq((place.image_row >= 0) & (place.image_row < place.input_height))
