"""What is read from nextpnr's log while it runs, and that tools are stopped for it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fpga.area import Area
from fpga.device import DEVICES
from fpga.netlist import Netlist
from fpga.nextpnr_log import missing_cells, refuse_what_lacks_cells, rounds
from fpga.route import ROUNDS, route
from fpga.tools import LOG, run_watched
from golden.errors import WesnpuError

ROOT = Path(__file__).resolve().parent.parent
ROUND = "Info:     iter={} wires=602132 overused=647 overuse=647 tmgfail=38 archfail=NA\n"


def test_what_a_device_lacks() -> None:
    log = (
        "Info: Device utilisation:\nInfo: \t         ICESTORM_LC:  6123/ 5280   115%\n"
        "Info: \t        ICESTORM_RAM:    30/   30   100%\nInfo: \t               SB_IO:     6/   96     6%\n"
    )
    assert missing_cells(log) == ["ICESTORM_LC 6,123 of 5,280"]


def test_rounds_of_the_router() -> None:
    assert rounds("Info: Running main router loop...\n") == 0
    assert rounds(ROUND.format(1) + ROUND.format(23) + "Info:     iter=24 wi") == 23


def run_while_it_fits(script: str, folder: Path) -> int:
    """The exit status of a shell script that leaves a log."""

    def look() -> None:
        if (log := folder / LOG).is_file():
            refuse_what_lacks_cells(log.read_text())

    return run_watched(["sh", "-c", script], folder, look)


def wait_for_the_end_of(process: int) -> None:
    """Until it is gone or dead; it dies a moment after it is killed."""
    stat = Path(f"/proc/{process}/stat")
    while stat.is_file() and stat.read_text().split()[2] != "Z":
        time.sleep(0.05)


@pytest.mark.timeout(60)
def test_a_tool_that_would_not_end_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    script = f"sleep 1000 & echo $! > child; echo 'Info: DP16KD: 226/ 208 108%' > {LOG}; wait"
    with pytest.raises(WesnpuError, match=r"the design does not fit: DP16KD 226 of 208$"):
        run_while_it_fits(script, tmp_path)
    wait_for_the_end_of(int((tmp_path / "child").read_text()))


ENDED = """import sys
from pathlib import Path
from fpga.cache import kept
from fpga.tools import run_watched
script = "sleep 1000 & echo $! > ../../../child.new; mv ../../../child.new ../../../child; wait"
kept(lambda folder: run_watched(["sh", "-c", script], folder, lambda: None), "")
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_tool_ends_with_the_process_that_runs_it(number: int, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", ENDED], cwd=tmp_path, env=environment) as run:
        while not (tmp_path / "child").is_file():
            time.sleep(0.05)
        run.send_signal(number)
        assert run.wait() == 128 + number
    wait_for_the_end_of(int((tmp_path / "child").read_text()))
    assert not list((tmp_path / "build" / "fpga").iterdir())


def test_what_fits_runs_to_its_end(tmp_path: Path) -> None:
    assert run_while_it_fits(f"echo 'Info: DP16KD: 208/ 208 100%' > {LOG}; exit 3", tmp_path) == 3


#: In place of nextpnr: it places the block RAM `left` on the right and `right` on the left of what they are joined to,
#: and routes them only where they have been exchanged. Aimed at 91 MHz its router goes on and on, at 82 it ends.
FAKE = """import json, sys, time
arguments = sys.argv[1:]
log = open("tool.log", "w")
design = json.load(open(arguments[arguments.index("--json") + 1]))
cells = design["modules"]["top"]["cells"]
if "--no-route" in arguments:
    for name, x in (("left", 50), ("right", 4), ("at_left", 3), ("at_right", 49)):
        cells[name]["attributes"]["NEXTPNR_BEL"] = f"X{x}/Y22/EBR"
    design["modules"]["top"]["settings"] = {"timing_driven": f"{1:032b}", "seed": "7"}
    json.dump(design, open(arguments[arguments.index("--write") + 1], "w"))
    sys.exit()
assert [cells[name]["attributes"]["BEL"] for name in ("left", "right")] == ["X4/Y22/EBR", "X50/Y22/EBR"]
assert "blockage.blocked_0" in cells
settings = design["modules"]["top"].get("settings", {})
assert settings.keys() == ({"timing_driven", "seed", *MARGINS} if "--no-place" in arguments else set())
if settings:
    assert [int(settings[name], 2) for name in (*MARGINS, "timing_driven")] == [10, 10, 0]
if arguments[arguments.index("--freq") + 1] == "91":
    print(ROUNDS, file=log, flush=True)
    time.sleep(1000)
print(ROUNDS, file=log, flush=True)  # it ended before anybody looked
open("report.json", "w").write('{"fmax": {"c": {"achieved": 83.456}}, "critical_paths": [], "utilization": {}}')
"""


@pytest.fixture()
def netlist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Netlist:
    monkeypatch.chdir(tmp_path)
    told = repr("".join(ROUND.format(number + 1) for number in range(ROUNDS + 1)))
    fake = FAKE.replace("ROUNDS", told).replace("MARGINS", "('router2/bbMargin/x', 'router2/bbMargin/y')")
    monkeypatch.setattr("fpga.tools.tool_command", lambda tool: [sys.executable, "-c", fake])
    monkeypatch.setattr("fpga.route.tool_version", lambda tool: "0")
    cells = {
        name: {"type": kind, "attributes": {}, "connections": {"P": [bit]}}
        for name, kind, bit in (
            ("left", "DP16KD", 2), ("right", "DP16KD", 3), ("at_left", "LUT4", 2), ("at_right", "LUT4", 3)
        )
    }
    (tmp_path / "netlist.json").write_text(json.dumps({"modules": {"top": {"cells": cells}}}))
    return Netlist(tmp_path, "top", Area(1000, 0, 0, 0, 0, 0))


@pytest.mark.timeout(60)
def test_the_next_aim_is_taken_where_the_router_does_not_end(netlist: Netlist, monkeypatch: pytest.MonkeyPatch) -> None:
    assert route(netlist, DEVICES["85f-8"], 1, (91, 82)).mhz == 83.46
    monkeypatch.setattr("fpga.tools.tool_command", lambda tool: ["false"])
    assert route(netlist, DEVICES["85f-8"], 1, (91, 82)).mhz == 83.46  # both are kept


@pytest.mark.timeout(60)
def test_a_router_without_timing_gets_what_was_placed(netlist: Netlist) -> None:
    assert route(netlist, DEVICES["85f"], 1, (82,), dense=True).mhz == 83.46
    with pytest.raises(WesnpuError, match=rf"seed 2: not routed after {ROUNDS} rounds, aiming at 91 MHz$"):
        route(netlist, DEVICES["85f"], 2, (91,), dense=True)


@pytest.mark.timeout(60)
def test_no_aim_that_is_met_is_told(netlist: Netlist) -> None:
    with pytest.raises(WesnpuError, match=rf"LFE5U-85F-8BG381C, seed 1: not routed after {ROUNDS} rounds, .* 91 MHz$"):
        route(netlist, DEVICES["85f-8"], 1, (91,))
