"""The boards: FPGA, engine, memory, clock and line of each, and the design that goes into it."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.build import Platform
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Instance, Module, ResetSignal, Signal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer
from amaranth_boards.ecpix5 import ECPIX585Platform
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from board.pll import ecp5_pll, ice40_pll
from board.soc import TOP, Soc
from compiler.engines import engine
from fpga.blockage import BLOCKAGE, blockage_verilog
from fpga.blocks import component_verilog
from golden.errors import WesnpuError


@dataclass(frozen=True, kw_only=True)
class BoardDesign:
    """What makes one board's design.

    platform: of amaranth-boards.  config: engine by name.  memory_words: 16-byte words.  memory_width: bits of its
    rows, 128 or 64.  clock_hz: of the design, made by a PLL.  baud: divides clock_hz.  reset: the resource
    of a button, with its number.  lights: the resources that show busy and failed, with number and color.
    """

    name: str
    platform: Callable[[], Platform]
    config: str
    memory_words: int
    memory_width: int = 128
    clock_hz: int
    baud: int
    reset: tuple[str, int]
    lights: tuple[tuple, tuple]

    @property
    def divisor(self) -> int:
        """Clock cycles per bit of the line."""
        return self.clock_hz // self.baud

    def soc(self, *, divisor: int | None = None) -> Soc:
        """The design without PLL and pins."""
        return Soc(
            engine(self.config), memory_words=self.memory_words, memory_width=self.memory_width,
            divisor=divisor or self.divisor, clock_hz=self.clock_hz, name=self.name,
        )


BOARDS: dict[str, BoardDesign] = {
    one.name: one
    for one in (
        BoardDesign(
            name="ulx3s_85f", platform=ULX3S_85F_Platform, config="small-85f", memory_words=1 << 14,
            clock_hz=25_000_000, baud=1_000_000, reset=("button_fire", 0),
            lights=(("led", 0), ("led", 1)),
        ),
        BoardDesign(
            name="ecpix5_85f", platform=ECPIX585Platform, config="small-85f", memory_words=1 << 14,
            clock_hz=25_000_000, baud=1_000_000, reset=("rst", 0),
            lights=(("rgb_led", 0, "g"), ("rgb_led", 1, "r")),
        ),
        BoardDesign(
            name="icebreaker", platform=ICEBreakerPlatform, config="nano-up5k", memory_words=1 << 13, memory_width=64,
            clock_hz=21_000_000, baud=1_000_000, reset=("button", 0),
            lights=(("led_g", 0), ("led_r", 0)),
        ),
    )
}


def board_design(name: str) -> BoardDesign:
    """The board of that name; WesnpuError lists the names otherwise."""
    if name not in BOARDS:
        raise WesnpuError(f"BOARD is {name!r}: must be one of {', '.join(BOARDS)}")
    return BOARDS[name]


def family_of(platform: Platform) -> str:
    """The FPGA family of a board, which names its tools."""
    return "ice40" if platform.device.startswith("iCE40") else "ecp5"


def soc_verilog(board: BoardDesign, *, divisor: int | None = None) -> str:
    """Verilog of the board's design, top module `wesnpu_board` with clk, rst, rx, tx, busy and failed."""
    return component_verilog(board.soc(divisor=divisor), TOP)


class BoardTop(Elaboratable):
    """Pins, PLL and reset around the design, which comes as Verilog of `soc_verilog`.

    The design is in reset until the PLL has locked, whenever it loses its lock, and while the button is pressed.
    """

    def __init__(self, board: BoardDesign):
        self._board = board

    def elaborate(self, platform):
        m = Module()
        clock, locked, pressed = Signal(), Signal(), Signal()
        m.domains.sync = ClockDomain("sync")
        m.d.comb += ClockSignal("sync").eq(clock)  # nextpnr derives its frequency from the PLL
        m.submodules.pll = self._pll(m, platform, clock, locked)
        m.submodules.button = button = io.Buffer("i", platform.request(*self._board.reset, dir="-"))
        m.d.comb += pressed.eq(button.i)
        m.submodules.reset = ResetSynchronizer(~locked | pressed, domain="sync")
        self._design(m, platform)
        if family_of(platform) == "ecp5":
            platform.add_file(f"{BLOCKAGE}.v", blockage_verilog())
            m.submodules.blockage = Instance(BLOCKAGE, a_keep=1)
        return m

    def _pll(self, m, platform, clock, locked) -> Instance:
        input_hz = int(platform.default_clk_frequency)
        port = platform.request(platform.default_clk, dir="-")
        if family_of(platform) == "ice40":
            return ice40_pll(input_hz, self._board.clock_hz, port.io, clock, locked)
        m.submodules.clock = buffer = io.Buffer("i", port)
        return ecp5_pll(input_hz, self._board.clock_hz, buffer.i, clock, locked)

    def _lights(self, m, platform, *levels) -> None:
        """Each level on its light; the other colors of that light stay dark."""
        for light, level in zip(self._board.lights, levels, strict=True):
            name, number, *color = light
            pins = platform.request(name, number, dir="-")
            for part in ("r", "g", "b") if color else ("",):
                m.submodules[f"{name}_{number}{part}"] = buffer = io.Buffer("o", getattr(pins, part) if part else pins)
                m.d.comb += buffer.o.eq(level if part in (*color, "") else 0)

    def _design(self, m, platform) -> None:
        board, busy, failed = self._board, Signal(), Signal()
        self._lights(m, platform, busy, failed)
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx, m.submodules.tx = rx, tx = io.Buffer("i", uart.rx), io.Buffer("o", uart.tx)
        platform.add_file(f"{TOP}.v", soc_verilog(board))
        m.submodules.design = Instance(
            TOP, i_clk=ClockSignal("sync"), i_rst=ResetSignal("sync"), i_rx=rx.i, o_tx=tx.o, o_busy=busy,
            o_failed=failed,
        )
