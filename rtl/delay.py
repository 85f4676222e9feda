"""Values that travel beside a pipeline."""

from amaranth.hdl import Module, Signal


def delay_line(m: Module, value, cycles: int, *, name: str, reset_less: bool = False) -> list:
    """`value` as it was 0, 1, ... `cycles` cycles ago; the registers are called name_1, name_2, ..."""
    line = [value]
    for stage in range(1, cycles + 1):
        register = Signal.like(line[-1], name=f"{name}_{stage}", reset_less=reset_less)
        m.d.sync += register.eq(line[-1])
        line.append(register)
    return line


def delayed(m: Module, value, cycles: int, *, name: str, reset_less: bool = False):
    """`value` as it was `cycles` cycles ago."""
    return delay_line(m, value, cycles, name=name, reset_less=reset_less)[-1]
