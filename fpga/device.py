"""The FPGAs that engines are built for: name, package and speed grade, so that a figure can be repeated."""

from dataclasses import dataclass

from golden.errors import WesnpuError


@dataclass(frozen=True)
class Device:
    """One FPGA in one package.

    family: "ecp5" or "ice40", which names the tools.  part: what is printed on it, speed grade included.  flags: how
    nextpnr is told.  frequency: MHz that place and route aims at; it stops trying once that is reached.  clock_pin:
    where the clock comes in, "" for anywhere; from a pin that is no clock input an ECP5 may have no way to its clock
    network.  engine_aims: the same for an engine, one after the other until one is met (fpga/route.py); () where an
    engine is placed as a block is.
    """

    name: str
    family: str
    part: str
    flags: tuple[str, ...]
    frequency: int
    clock_pin: str = ""
    engine_aims: tuple[int, ...] = ()


def _ecp5(size: int, *, speed: int = 6, engine_aims: tuple[int, ...] = ()) -> Device:
    flags = (f"--{size}k", "--package", "CABGA381", "--speed", f"{speed}", "--lpf-allow-unconstrained")
    name = f"{size}f" if speed == 6 else f"{size}f-{speed}"
    return Device(
        name, "ecp5", f"LFE5U-{size}F-{speed}BG381C", flags, 200, clock_pin="G2", engine_aims=engine_aims
    )


DEVICES: dict[str, Device] = {
    device.name: device
    for device in (
        _ecp5(25),
        _ecp5(45),
        _ecp5(85, engine_aims=(70, 60)),
        _ecp5(85, speed=8, engine_aims=(91, 82)),
        Device("up5k", "ice40", "iCE40UP5K-SG48", ("--up5k", "--package", "sg48", "--pcf-allow-unconstrained"), 48),
    )
}


def device(name: str) -> Device:
    """The device of that name; WesnpuError lists the names otherwise."""
    if name not in DEVICES:
        raise WesnpuError(f"DEVICE is {name!r}: must be one of {', '.join(DEVICES)}")
    return DEVICES[name]
