"""Feeds and passes of the steps of WINDOW and GATHER commands (docs/engine.md, "Window steps")."""

from amaranth.hdl import Const, Mux, Signal, signed

from compiler.config import EngineConfig
from compiler.encoding import Mode


class WindowSteps:
    """What the table of docs/engine.md says of a command on this engine."""

    def __init__(self, config: EngineConfig):
        self._config = config
        self._two_pixels = Const(config.pixels == 2)

    def windowed(self, command):
        """Whether the window feeds the array."""
        return command.mode[0] & Const(self._config.window_kernel > 1)

    def grid5(self, command):
        """Whether the window is 5 x 5."""
        return (command.grid == 5) if self._config.window_kernel == 5 else Const(0)

    def wide(self, command):
        """Whether a step of stride 2 makes two output columns."""
        config = self._config
        every = config.pixels == 4 or config.taps == 16
        some = (command.grid == 3) & Const(config.window_kernel == 5)
        return (command.stride_x == 2) & (Const(config.window_kernel == 5 or config.pixels == 4) if every else some)

    def double(self, command):
        """Whether a feed takes 2 * pixels columns, all that a step of stride 2 needs."""
        if not self._config.double_feeds:
            return Const(0)
        return (command.mode == Mode.WINDOW) & (command.grid == 3) & (command.stride_x == 2)

    def overlaps(self, command):
        """Whether a step's last pass shares a cycle with the next step's first feed."""
        early = (command.mode == Mode.GATHER) | self.grid5(command)
        return self.wide(command) & early & (command.passes > 1) & self._two_pixels

    def two_feeds(self, command):
        """Whether a step has two feeds; else it has one."""
        if self._config.pixels == 1:
            return command.stride_x[1]
        two = self.wide(command) & ~self.overlaps(command) & self._two_pixels
        if self._config.double_feeds:
            two &= ~self.double(command)
        return two

    def first_number(self, command):
        """Minus the feeds of a row that come before the first one with a pass: n0 and all but one of a step."""
        if self._config.pixels == 1:
            return 1 - command.grid
        if self._config.pixels == 4:
            return Const(-1)
        before = Mux(self.overlaps(command) | self.grid5(command), 2, 1)
        if self._config.double_feeds:
            before = Mux(self.double(command), command.first_column >= 0, before)
        return -(before + self.two_feeds(command))

    def first_left(self, command):
        """Left column of a row's first feed: a double feed holds what the first step lacks in its last column."""
        if not self._config.double_feeds:
            return command.first_column
        after = Mux(command.first_column < 0, 1, 1 - 2 * self._config.pixels)
        return command.first_column + Mux(self.double(command), after, 0)


class WindowWalk:
    """n0 feeds at the row's start, then per step its feeds and passes; the last feed and the first pass share a cycle.

    Signals of the current cycle: `feed`: the window takes columns; `compute`: the array takes pass `pass_number`;
    `first`: pass of the step; `late`: the feed is the next step's. `last_is_next`: the cycle after this one, if in the
    same step, is its last.
    """

    def __init__(self, shape, command, last):
        """last: this cycle is the step's last one."""
        self._shape, self._last = shape, last
        self._number = number = Signal(signed(5), name="number")  # of the pass; negative: a feed without one
        self.compute = ~number[-1]
        self.pass_number = number[:4]
        self.first = number == 0
        self.late = shape.overlaps & last
        self.feed = number[-1] | self.first | self.late
        self.last_is_next = number + 2 == command.passes

    def add(self, m, go, take, planned) -> None:
        """A cycle further with `go`; `take`: the next row begins, `planned` is its shape."""
        with m.If(take):
            m.d.sync += self._number.eq(planned.first_number)
        with m.Elif(go):
            m.d.sync += self._number.eq(Mux(self._last, -self._shape.two_feeds, self._number + 1))
