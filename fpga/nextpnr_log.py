"""What nextpnr's log tells while it runs: cells that the device lacks, and how long the router has been at it."""

import re

from golden.errors import WesnpuError

_UTILISATION = re.compile(r"^Info:\s+(\w+): +(\d+)/ *(\d+) +\d+%", re.M)
_ROUND = re.compile(r"^Info:\s+iter=(\d+) wires=", re.M)


def missing_cells(log: str) -> list[str]:
    """Cells of which the log counts more than the device has: 'ICESTORM_LC 6,000 of 5,280'."""
    found = {name: (int(used), int(there)) for name, used, there in _UTILISATION.findall(log)}
    return [f"{name} {used:,} of {there:,}" for name, (used, there) in found.items() if used > there]


def refuse_what_lacks_cells(log: str) -> None:
    """WesnpuError when the device lacks cells: placer `static` would look for room without end."""
    if lacking := missing_cells(log):
        raise WesnpuError(f"the design does not fit: {', '.join(lacking)}")


def rounds(log: str) -> int:
    """The last round that router2 has finished; 0 before the first."""
    return max(map(int, _ROUND.findall(log)), default=0)
