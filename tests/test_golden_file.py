"""The network file: same bytes for the same network, everything back, and a clear error for every bad file."""

import io
import json
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from golden import file as network_file
from golden.channel_multiplier import ChannelMultiplier
from golden.double_rounding import DoubleRounding
from golden.errors import WesnpuError
from golden.file import encode_network, load_network, save_network
from golden.network import Network, Preprocessing
from golden.pack import pack_weights, unpack_weights
from golden.power_of_two import PowerOfTwo
from golden.requantize import ShiftScaler
from golden.run import run
from tests.golden_networks import Builder


def sample_network() -> Network:
    """Every field set, every requantizer, every width of weights."""
    rng = np.random.default_rng(4)
    build = Builder(rng, (3, 7, 6))
    for index, bits in enumerate((2, 3, 4, 6, 8)):
        build.conv(3, 3, 1, depthwise=bool(index % 2), relu=False, residual="x1" if index == 2 else "")
        layer, limit = build.layers[-1], (1 << (bits - 1)) - 1
        weight = (rng.integers(-limit, limit + 1, layer.weight.shape) << (8 - bits)).astype(np.int8)
        build.layers[-1] = replace(layer, weight=weight, weight_bits=bits)
    three = np.full(3, 40, np.uint8)
    scaler = build.layers[0].requantizer
    requantizers = (
        replace(scaler, half_step=np.array([1, 0, 1], np.uint8)),
        ChannelMultiplier(np.full(3, 2**30, np.uint32), three),
        DoubleRounding(np.full(3, 2**30, np.uint32), np.full(3, 9, np.uint8)),
        PowerOfTwo(np.full(3, 9, np.uint8)),
        scaler,
    )
    layers = tuple(replace(a, requantizer=q) for a, q in zip(build.layers, requantizers, strict=True))
    preprocessing = Preprocessing(7, 6, "BGR", 9, 255.0, (0.5, 0.25, 0.125), (0.1,), "NHWC")
    provenance = {"recipe": ["wes", {"k": 1}], "source": "ab" * 32, "scale": 0.1, "none": None}
    outputs, tail = ("x3", "x5"), ("Softmax",)
    return Network("net", "x0", outputs, build.tensors, layers, 7, preprocessing, ("cat", "Käfer"), tail, provenance)


def assert_same(a: object, b: object, where: str = "network") -> int:
    """Compare two dataclass trees field by field; returns the number of leaves."""
    if isinstance(a, np.ndarray):
        assert isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b), where
        return 1
    assert type(a) is type(b), where
    if hasattr(a, "__dataclass_fields__"):
        return sum(assert_same(getattr(a, f.name), getattr(b, f.name), f"{where}.{f.name}") for f in fields(a))
    if isinstance(a, tuple):
        assert len(a) == len(b), where  # type: ignore[arg-type]
        return sum(assert_same(x, y, f"{where}[{i}]") for i, (x, y) in enumerate(zip(a, b, strict=True)))  # type: ignore
    if isinstance(a, dict) and where.endswith("tensors"):
        assert list(a) == list(b)  # type: ignore[call-overload]
        return sum(assert_same(a[k], b[k], f"{where}[{k}]") for k in a)  # type: ignore[index]
    assert a == b, where
    return 1


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.npz"
    save_network(sample_network(), path)
    return path


def test_everything_comes_back(saved: Path) -> None:
    network, loaded = sample_network(), load_network(saved)
    assert assert_same(network, loaded) > 100
    image = np.random.default_rng(0).integers(-128, 128, (3, 7, 6)).astype(np.int8)
    a, b = run(network, image, keep=True).tensors, run(loaded, image, keep=True).tensors
    assert all(np.array_equal(a[name], b[name]) for name in network.tensors)


def test_same_network_same_bytes(saved: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.npz"
    save_network(load_network(saved), again)
    assert saved.read_bytes() == again.read_bytes() == encode_network(sample_network())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.npz", "net.npz"]


def test_numpy_reads_it_and_weights_are_packed(saved: Path) -> None:
    network = sample_network()
    with np.load(saved, allow_pickle=False) as archive:
        header = json.loads(archive["header"].tobytes().decode())
        assert header["format"] == "wesnpu-network" and header["version"] == 1
        for i, layer in enumerate(network.layers):
            stored = archive[f"{i:04d}.weight"]
            assert stored.nbytes == (layer.weight.size * layer.weight_bits + 7) // 8
            assert np.array_equal(archive[f"{i:04d}.bias"], layer.bias)


@pytest.mark.parametrize("bits", [2, 3, 4, 6])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 257])
def test_packing_is_a_bit_stream(bits: int, count: int) -> None:
    rng, limit = np.random.default_rng(count), (1 << (bits - 1)) - 1
    codes = rng.integers(-limit, limit + 1, count)
    weight = (codes << (8 - bits)).astype(np.int8)
    packed = pack_weights(weight, bits)
    stream = sum((int(code) % 2**bits) << (i * bits) for i, code in enumerate(codes))
    assert packed.tobytes() == stream.to_bytes((count * bits + 7) // 8, "little")
    assert np.array_equal(unpack_weights(packed, bits, (count,)), weight)
    with pytest.raises(WesnpuError, match="packed weight is uint8"):
        unpack_weights(np.append(packed, np.uint8(0)), bits, (count,))


def test_every_truncation_is_refused(saved: Path, tmp_path: Path) -> None:
    data, short = saved.read_bytes(), tmp_path / "short.npz"
    lengths = [*range(0, len(data), 97), len(data) - 1]
    for length in lengths:
        short.write_bytes(data[:length])
        with pytest.raises(WesnpuError, match="short.npz: "):
            load_network(short)


def test_no_changed_byte_changes_the_network(saved: Path, tmp_path: Path) -> None:
    """A flipped bit is refused, or sat in the container's own fields and changes nothing that is loaded."""
    data, changed, refused = saved.read_bytes(), tmp_path / "changed.npz", 0
    positions = np.random.default_rng(1).integers(0, len(data), 400)
    for position in positions.tolist():
        copy = bytearray(data)
        copy[position] ^= 1 << (position % 8)
        changed.write_bytes(copy)
        try:
            loaded = load_network(changed)
        except WesnpuError as error:
            assert "changed.npz: " in str(error) and "\n" not in str(error)
            refused += 1
        else:
            assert encode_network(loaded) == data, f"byte {position}"
    assert refused > 200


def rewrite(path: Path, changes: dict[str, bytes | None], *, sign: bool = False) -> None:
    """Replace (or with None remove) entries of a network file, container checksums right; `sign` renews the digest."""
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    entries = {name: data for name, data in (entries | changes).items() if data is not None}
    if sign:
        entries["sha256.npy"] = network_file._array_bytes(network_file._text_array(network_file._digest(entries)))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def array_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header_bytes(path: Path, change: object) -> bytes:
    with np.load(path) as archive:
        header = json.loads(archive["header"].tobytes().decode())
    change(header)  # type: ignore[operator]
    return array_bytes(np.frombuffer(json.dumps(header).encode(), np.uint8))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h: h.update(version=3), "format version 3, made by a newer wesnpu: this one reads 1..2"),
        (lambda h: h.update(version="1"), "version is '1'"),
        (lambda h: h.update(format="other"), "not a wesnpu network file"),
        (lambda h: h["network"].update(guard_bits=5), "must be 5, as the network"),
        (lambda h: h["network"].pop("guard_bits") and h["network"].update(guard=1), "field 'guard' is unknown"),
        (lambda h: h["network"].pop("tensors"), "not valid: field 'tensors' is missing"),
        (lambda h: h["network"]["tensors"][0].pop("scale"), "not valid: fields are missing: 'scale'"),
        (lambda h: h["network"]["layers"][1].update(stride=[0, 1]), "stride[0] is 0"),
        (lambda h: h["network"]["layers"][1].update(input="x9"), "'x9' is read before"),
        (lambda h: h["network"]["layers"][0].update(weight_shape=[3, 3, 3, 2]), "packed weight is uint8"),
        (lambda h: h["network"]["layers"][4].update(weight_shape=[3, 3, 9, 1]), "must be (3, 3, 9, 1)"),
        (lambda h: h["network"]["layers"][0]["requantizer"].update(kind="magic"), "requantizer kind is 'magic'"),
        (lambda h: h["network"]["layers"].pop(), "belongs to no layer"),
        (lambda h: h["network"]["tensors"][0].update(scale=-1), "scale is -1"),
        (lambda h: h["network"].update(layers=3), "not valid: a value of the header has a wrong type"),
        (lambda h: h.update(network=None), "not valid: a value of the header has a wrong type"),
    ],
)
def test_bad_header_is_refused(saved: Path, change: object, words: str) -> None:
    rewrite(saved, {"header.npy": header_bytes(saved, change)}, sign=True)
    with pytest.raises(WesnpuError) as caught:
        load_network(saved)
    assert words in str(caught.value) and str(saved) in str(caught.value) and "\n" not in str(caught.value)


def test_changed_weights_are_refused_even_with_right_container_checksums(saved: Path) -> None:
    with np.load(saved) as archive:
        bias = archive["0002.bias"]
    rewrite(saved, {"0002.bias.npy": array_bytes(bias + 1)})
    with pytest.raises(WesnpuError, match="damaged or changed: its content does not match its SHA-256"):
        load_network(saved)


@pytest.mark.parametrize(
    ("entry", "data", "sign", "words"),
    [
        ("sha256.npy", None, False, "damaged: it has no sha256.npy"),
        ("header.npy", None, True, "not a wesnpu network file"),
        ("header.npy", b"\x93NUMPY garbage", True, "the header is not readable"),
        ("0001.bias.npy", None, True, "array '0001.bias' is missing"),
        ("0001.bias.npy", b"nonsense", True, "not valid"),
        ("0001.bias.npy", array_bytes(np.zeros(3)), True, "layer layer1: bias is float64"),
        ("0001.bias.npy", array_bytes(np.zeros(3, np.int32)) + b"x", True, "not valid"),
        ("0001.extra.npy", array_bytes(np.zeros(3)), True, "array '0001.extra' belongs to no layer"),
    ],
)
def test_bad_entry_is_refused(saved: Path, entry: str, data: bytes | None, sign: bool, words: str) -> None:
    rewrite(saved, {entry: data}, sign=sign)
    with pytest.raises(WesnpuError) as caught:
        load_network(saved)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("surplus", [(b"", b"x"), (b"", b"\0" * 50_000), (b"#!/bin/sh\n", b"")])
def test_bytes_that_belong_to_no_entry_are_refused(saved: Path, surplus: tuple[bytes, bytes]) -> None:
    saved.write_bytes(surplus[0] + saved.read_bytes() + surplus[1])
    with pytest.raises(WesnpuError, match="damaged: it has .* bytes, its entries make"):
        load_network(saved)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    path.write_text("hello")
    with pytest.raises(WesnpuError, match="not a wesnpu network file"):
        load_network(path)
    np.savez_compressed(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(WesnpuError, match="compressed archive"):
        load_network(tmp_path / "other.npz")
    np.savez(tmp_path / "plain.npz", a=np.zeros(3))
    with pytest.raises(WesnpuError, match=r"it has no header\.npy"):
        load_network(tmp_path / "plain.npz")
    with pytest.raises(WesnpuError, match="cannot be read: No such file"):
        load_network(tmp_path / "missing.npz")
    with pytest.raises(WesnpuError, match="cannot be read: Is a directory"):
        load_network(tmp_path)


def test_failed_write_leaves_the_old_file_and_nothing_else(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(network_file.os, "fsync", full)
    with pytest.raises(WesnpuError, match="cannot be written: No space left on device"):
        save_network(sample_network(), saved)
    assert saved.read_bytes() == before and [p.name for p in saved.parent.iterdir()] == ["net.npz"]
    with pytest.raises(WesnpuError, match="cannot be written: No such file or directory"):
        save_network(sample_network(), saved.parent / "no" / "net.npz")


def test_what_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    for value in ({1, 2}, float("nan"), np.int64(3), "\udce9.onnx"):
        with pytest.raises(WesnpuError, match="provenance must hold JSON values only"):
            save_network(replace(sample_network(), provenance={"x": value}), tmp_path / "net.npz")
    assert list(tmp_path.iterdir()) == []


def test_provenance_and_names_of_other_kinds_are_refused() -> None:
    with pytest.raises(WesnpuError, match="provenance is \\[1\\]: must be a dict"):
        replace(sample_network(), provenance=[1])
    with pytest.raises(WesnpuError, match="network name is .*must be text that UTF-8 can hold"):
        replace(sample_network(), name="\udce9")


def test_unknown_requantizers_are_refused(tmp_path: Path) -> None:
    class Mine(ShiftScaler):
        pass

    network = sample_network()
    layer = replace(network.layers[-1], requantizer=Mine(np.zeros(3, np.uint8), 4, 2**15))
    with pytest.raises(WesnpuError, match="requantizer Mine cannot be stored"):
        save_network(replace(network, layers=(*network.layers[:-1], layer)), tmp_path / "net.npz")
