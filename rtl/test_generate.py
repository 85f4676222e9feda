# amaranth: UnusedElaboratable=no
"""Generated Verilog: the same bytes on every run, a true description, clean checks that do find mistakes."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.config import preset
from compiler.engines import ENGINES
from rtl.check_verilog import WAIVERS, hierarchy, lint
from rtl.generate import (
    MODULE,
    generate,
    main,
    with_driven_constants,
    with_plain_module_names,
    without_zero_memories,
)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def nano(tmp_path_factory) -> Path:
    return generate(preset("nano"), tmp_path_factory.mktemp("nano"))


def test_same_bytes_in_another_process(nano, tmp_path):
    code = f"from pathlib import Path; from compiler.config import preset; from rtl.generate import generate; \
generate(preset('nano'), Path({str(tmp_path)!r}))"
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    for suffix in (".v", ".json"):
        there, here = tmp_path / nano.with_suffix(suffix).name, nano.with_suffix(suffix)
        assert hashlib.sha256(there.read_bytes()).digest() == hashlib.sha256(here.read_bytes()).digest(), suffix


def test_description_is_the_port_list(nano):
    text, description = nano.read_text(), json.loads(nano.with_suffix(".json").read_text())
    assert description["parameters"] == preset("nano").to_json() and description["module"] == MODULE
    body = re.search(rf"^module {MODULE}\((.*?)\);(.*?)^endmodule", text, re.S | re.M)
    assert set(re.findall(r"\w+", body[1])) == description["ports"].keys()
    declared = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", body[2], re.M)
    found = {name: {"direction": way, "width": int(high or 0) + 1} for way, high, name in declared}
    assert found == description["ports"]
    assert not any(name.startswith("trace") for name in found)


def test_no_paths_no_names_to_escape_no_zero_memories(nano):
    text = nano.read_text()
    assert str(ROOT) not in text and "src =" not in text
    assert not re.search(r"^module \\", text, re.M)
    assert not re.search(r"^ *initial begin", text, re.M)


def test_nano_is_clean(nano):
    assert lint(nano, MODULE) == ""
    assert hierarchy(nano, MODULE) == ""


@pytest.mark.long
@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_is_clean(name, trace, tmp_path):
    path = generate(ENGINES[name], tmp_path, trace=trace)
    assert lint(path, MODULE) == ""
    assert hierarchy(path, MODULE) == ""


MISTAKES = {
    "latch": "module wesnpu(input a, input b, output reg o); always @* if (a) o = b; endmodule\n",
    "width": "module wesnpu(input [7:0] a, output [3:0] o); assign o = a; endmodule\n",
    "undriven": "module wesnpu(output o); wire w; assign o = w; endmodule\n",
    "missing module": "module wesnpu(input a, output o); missing one(.a(a), .o(o)); endmodule\n",
    "two drivers": "module wesnpu(input a, input b, output o); assign o = a; assign o = b; endmodule\n",
    "loop": "module wesnpu(input a, output o); wire w; assign w = a ^ o; assign o = ~w; endmodule\n",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_checks_find_mistakes(name, tmp_path):
    path = tmp_path / "wesnpu.v"
    path.write_text(MISTAKES[name])
    assert lint(path, MODULE)
    if name in ("missing module", "two drivers", "loop"):
        assert hierarchy(path, MODULE)


def test_every_waiver_has_its_reason():
    """A blank line, a comment and then its waivers."""
    blocks = WAIVERS.read_text().split("\n\n")
    assert len(blocks) == 7
    for block in blocks[1:]:
        lines = block.strip().splitlines()
        rules = [line for line in lines if line.startswith("lint_off")]
        assert lines[0].startswith("// ") and rules and len({line.split()[2] for line in rules}) == 1


def test_memories_with_values_are_kept():
    zero = "  initial begin\n    rom[0] = 8'h00;\n    rom[1] = 8'h00;\n  end\n"
    value = zero.replace("rom[1] = 8'h00", "rom[1] = 8'h0a")
    assert without_zero_memories(f"a\n{zero}b\n{value}c\n") == f"a\nb\n{value}c\n"


def test_constants_are_driven():
    text = "  always @*\n    a[3] = 1'h1;\n  always @*\n    a[2] = b;\n"
    changed = with_driven_constants(text)
    assert changed.count("always @* begin\n") == 1 and "    a[2] = b;\n" in changed
    assert "if (\\$never0 ) begin end\n    a[3] = 1'h1;" in changed


def test_module_names_stay_different():
    assert with_plain_module_names("module \\wesnpu.a$1.b (c);") == "module wesnpu_a_1_b (c);"
    with pytest.raises(ValueError, match="same plain name"):
        with_plain_module_names("\\wesnpu.a.b \\wesnpu.a$b ")


def test_unknown_configuration(capsys):
    assert main(["huge"]) == 2
    names = "nano, small, medium, large, micro, large-85f, nano-up5k, small-85f"
    assert capsys.readouterr().err == f"CONFIG = 'huge' is not an engine; engines are {names}\n"
