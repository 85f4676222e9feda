"""The register table: consistent in itself, and its documents are up to date."""

import pytest

from compiler.config import PRESETS, preset
from compiler.document_registers import documents
from compiler.registers import REGISTERS, Access, Field, Offset, Register, identification, pack, register, unpack


def test_documents_are_up_to_date():
    for path, text in documents().items():
        assert path.read_text() == text, f"{path.name}: run python -m compiler.document_registers"


def test_offsets_and_names_are_unique():
    assert len({one.offset for one in REGISTERS}) == len({one.name for one in REGISTERS}) == len(REGISTERS) > 25
    assert all(Offset[one.name] == one.offset for one in REGISTERS)


def test_every_register_is_documented():
    markdown, header = (text for _, text in sorted(documents().items()))
    for one in REGISTERS:
        assert f"## {one.offset:#05x} {one.name}\n" in markdown
        assert f"#define WESNPU_{one.name} {one.offset:#05x}u\n" in header


@pytest.mark.parametrize("name", PRESETS)
def test_identification_tells_the_configuration(name):
    config, words = preset(name), identification(preset(name))
    assert unpack("ARRAY", words["ARRAY"]) == {
        "pixels": config.pixels, "lanes": config.lanes, "taps": config.taps, "requant_lanes": config.requant_lanes,
    }
    assert unpack("UNITS", words["UNITS"])["bus_bytes"] == config.bus_bytes
    assert unpack("LIMITS", words["LIMITS"])["double_feeds"] == (name == "large")
    assert unpack("LIMITS", words["LIMITS"])["four_banks"] == (name == "micro")
    assert words["MAGIC"].to_bytes(4, "little") == b"WESN"


def test_pack_and_unpack_by_hand():
    assert pack("STATUS", busy=1, error=7, error_command=0x1234) == 0x12340701
    assert unpack("STATUS", 0x12340702) == {"busy": 0, "done": 1, "error": 7, "error_command": 0x1234}


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: pack("STATUS", error=16), "STATUS.error = 16 must be in 0..15"),
        (lambda: pack("STATUS", eror=1), "no field 'eror'"),
        (lambda: register("STATE"), "'STATE' does not exist"),
        (lambda: Field(name="f", low=30, width=3, doc=""), "must be in 0..31"),
        (lambda: Register(name="R", offset=2, access=Access.READ_ONLY, doc="", fields=()), "multiple of 4"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_overlapping_fields_are_refused():
    fields = (Field(name="a", low=0, width=4, doc=""), Field(name="b", low=3, width=2, doc=""))
    with pytest.raises(ValueError, match="field b overlaps"):
        Register(name="R", offset=0, access=Access.READ_ONLY, doc="", fields=fields)
