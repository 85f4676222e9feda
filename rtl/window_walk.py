"""Feeds and passes of the steps of WINDOW and GATHER commands (docs/engine.md, "Window steps")."""

from amaranth.hdl import Const, Mux, Signal, signed

from compiler.config import EngineConfig
from compiler.encoding import Mode


class WindowSteps:
    """What the table of docs/engine.md says of a command on this engine."""

    def __init__(self, config: EngineConfig):
        self._config = config
        self._two_pixels = Const(config.pixels == 2)

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

    def feeds(self, command):
        """Feeds per step."""
        if self._config.pixels == 1:
            return command.stride_x
        two = self.wide(command) & ~self.overlaps(command) & self._two_pixels
        if self._config.double_feeds:
            two &= ~self.double(command)
        return Mux(two, 2, 1)

    def before_first(self, command):
        """n0: feeds at a row's start."""
        if self._config.pixels == 1:
            return command.grid - command.stride_x
        if self._config.pixels == 4:
            return 1
        before = Mux(self.overlaps(command) | self.grid5(command), 2, 1)
        if self._config.double_feeds:
            return Mux(self.double(command), command.first_column >= 0, before)
        return before

    def first_left(self, command):
        """Left column of a row's first feed: a double feed holds what the first step lacks in its last column."""
        if not self._config.double_feeds:
            return command.first_column
        after = Mux(command.first_column < 0, 1, 1 - 2 * self._config.pixels)
        return command.first_column + Mux(self.double(command), after, 0)


class WindowWalk:
    """n0 feeds at the row's start, then per step its feeds and passes; the last feed and the first pass share a cycle.

    Signals of the current cycle: `feed`: the window takes columns; `compute`: the array takes pass `pass_number`;
    `first`, `last`: pass of the step; `late`: the feed is the next step's.
    """

    def __init__(self, steps: WindowSteps, command):
        self._steps, self._command = steps, command
        self._step = Signal(signed(7), name="step")  # negative: feeds at the start of a row
        self._feeds = Signal(2, name="feeds")
        self.last, self.late = Signal(name="last"), Signal(name="late")
        number = self._step - self._feeds + 1
        self.compute = number >= 0
        self.pass_number = number[:4]
        self.first = self.compute & (number == 0)
        self.feed = (self._step < self._feeds) | self.late
        self._is_last = number + 1 == command.passes

    def add(self, m, go, take, planned) -> None:
        """A cycle further with `go`; `take`: the next row begins, of the command `planned`."""
        m.d.comb += [
            self._feeds.eq(self._steps.feeds(self._command)),
            self.last.eq(self._is_last),
            self.late.eq(self._steps.overlaps(self._command) & self.last),
        ]
        with m.If(go):
            m.d.sync += self._step.eq(Mux(self.last, 0, self._step + 1))
        with m.If(take):
            m.d.sync += self._step.eq(-self._steps.before_first(planned))
