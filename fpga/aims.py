"""What place and route of an engine aims at."""

from fpga.device import Device

#: What engines too large for the engine_aims of a device are aimed at there instead.
SLOWER = {"large-85f": {"85f": (40,), "85f-8": (52,)}}

#: Engines whose wires lie closest. They are aimed at far less than their placement is estimated at (fpga/route.py).
DENSE = {"large-85f"}


def engine_aims(name: str, device: Device) -> tuple[int, ...]:
    """MHz to aim at for the engine called `name`, one after the other (fpga/route.py); () where none is placed so."""
    return SLOWER.get(name, {}).get(device.name, device.engine_aims)
