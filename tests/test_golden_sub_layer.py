"""Sub-layer shifts (Eq. 8): definition, fast path, file and judge agree; who cannot run them refuses."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from compiler.config import PRESETS
from compiler.program import compile_network
from golden import file as network_file
from golden.errors import WesnpuError
from golden.file import encode_network, load_network, save_network
from golden.network import ConvLayer, Network, Tensor
from golden.requantize import INT32_MAX, ShiftScaler
from golden.run import run
from golden.sub_layer import block_width
from quant.accuracy.cost import channel_bytes, runs_on_engine
from quant.qdq.export import export_qdq
from tests import golden_judge


def network_of(shift: np.ndarray | None, inputs: int = 7, outputs: int = 4, **changes: object) -> Network:
    """One dense 3x3 layer with seeded weights on a 5x6 image."""
    rng = np.random.default_rng(inputs)
    values: dict = {
        "weight": rng.integers(-127, 128, (outputs, inputs, 3, 3)).astype(np.int8),
        "bias": rng.integers(-9999, 9999, outputs).astype(np.int32),
        "stride": (2, 1),
        "padding": (1, 0, 1, 2),
        "requantizer": ShiftScaler(np.arange(outputs, dtype=np.uint8), 5, 40000),
        "block_shift": shift,
    }
    layer = ConvLayer("conv", "x", "y", False, lo=-128, hi=127, **(values | changes))
    tensors = {"x": Tensor("x", inputs, 5, 6, 0.1, 3), "y": Tensor("y", *layer.output_shape(5, 6), 0.1, -7)}
    return Network("sub", "x", ("y",), tensors, (layer,))


def random_shift(blocks: int, outputs: int = 4) -> np.ndarray:
    return np.random.default_rng(blocks).integers(0, 4, (outputs, blocks)).astype(np.uint8)


@pytest.mark.parametrize("inputs, blocks", [(7, 1), (7, 2), (7, 3), (7, 4), (7, 7), (6, 3), (1, 1), (16, 4)])
def test_every_accumulator_equals_the_judge_in_every_mode(inputs: int, blocks: int) -> None:
    network = network_of(random_shift(blocks), inputs)
    image = np.random.default_rng(blocks).integers(-128, 128, (inputs, 5, 6)).astype(np.int8)
    exact = run(network, image, keep=True, stages=True, exact=True)
    staged, fast = run(network, image, stages=True), run(network, image, keep=True)
    acc, pixels = exact.stages["conv"].acc, image.tolist()
    for place in np.ndindex(acc.shape):
        assert acc[place] == golden_judge.accumulator(network.layers[0], pixels, 3, *place)
    assert np.array_equal(staged.stages["conv"].acc, acc)
    assert np.array_equal(fast.tensors["y"], exact.tensors["y"]) and len(np.unique(fast.tensors["y"])) > 5


def test_blocks_are_slices_of_the_inputs_by_hand() -> None:
    """Five inputs in two blocks: 0..2 and 3..4."""
    weight = np.ones((1, 5, 1, 1), np.int8)
    changes = {"weight": weight, "bias": np.array([1], np.int32), "stride": (1, 1), "padding": (0, 0, 0, 0)}
    network = network_of(np.array([[1, 3]], np.uint8), 5, 1, **changes)
    image = np.repeat(np.array([1, 2, 4, 8, 16], np.int8), 30).reshape(5, 5, 6)
    assert np.all(run(network, image, stages=True, exact=True).stages["conv"].acc == 1 + 2 * 7 + 8 * 24)


def test_shifts_of_zero_change_nothing() -> None:
    image = np.random.default_rng(1).integers(-128, 128, (7, 5, 6)).astype(np.int8)
    plain, zero = (run(network_of(shift), image).outputs["y"] for shift in (None, np.zeros((4, 3), np.uint8)))
    assert np.array_equal(plain, zero)


def test_the_accumulator_is_proved_with_the_shifts_in_it() -> None:
    """The largest sum of codes -128..127 is 8 * (127 * 127) * 9 * 7 here: the bias may bring it to the last int32."""
    shift, weight = np.full((4, 1), 3, np.uint8), np.full((4, 7, 3, 3), 127, np.int8)
    last = INT32_MAX - 8 * 127 * 127 * 63
    fits = network_of(shift, weight=weight, bias=np.full(4, last, np.int32))
    image = np.full((7, 5, 6), 127, np.int8)
    acc = run(fits, image, stages=True).stages["conv"].acc
    assert acc.max() == INT32_MAX and np.array_equal(acc, run(fits, image, stages=True, exact=True).stages["conv"].acc)
    with pytest.raises(WesnpuError, match="layer conv: accumulator of channel 2 spans .*2147483648"):
        network_of(shift, weight=weight, bias=np.array([0, last, last + 1, 0], np.int32))


def test_the_fast_path_knows_where_single_precision_ends() -> None:
    """Odd sums beyond 2^24; without the shift in the bound they would be taken for small."""
    inputs = 400
    changes = {
        "weight": np.full((1, inputs, 1, 1), 127, np.int8), "bias": np.zeros(1, np.int32), "stride": (1, 1),
        "padding": (0, 0, 0, 0),
    }  # fmt: skip
    network = network_of(np.array([[3, 0]], np.uint8), inputs, 1, **changes)
    image = np.random.default_rng(0).integers(100, 128, (inputs, 5, 6)).astype(np.int8)
    exact, fast = (run(network, image, stages=True, exact=flag).stages["conv"].acc for flag in (True, False))
    assert exact.min() > 2**24 and np.any(exact % 2) and np.array_equal(exact, fast)


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (np.zeros((3, 2), np.uint8), "layer conv: block_shift has 3 channels: must be 4, as weight has"),
        (np.full((4, 2), 4, np.uint8), "layer conv: block_shift spans 4..4: every element must be in 0..3"),
        (np.zeros((4, 2)), "block_shift is float64 (4, 2)"),
        (np.zeros(4, np.uint8), "block_shift is uint8 (4,)"),
        (np.zeros((4, 5), np.uint8), "layer conv: 7 input channels make no 5 blocks of 2"),
        (np.zeros((4, 8), np.uint8), "7 input channels make no 8 blocks of 1"),
    ],
)
def test_wrong_shifts_are_refused(shift: np.ndarray, words: str) -> None:
    with pytest.raises(WesnpuError, match=re.escape(words)):
        network_of(shift)


def test_a_depthwise_layer_has_none() -> None:
    with pytest.raises(WesnpuError, match="layer conv: block_shift is given: must be None in a depthwise layer"):
        ConvLayer(
            "conv", "x", "y", True, np.ones((4, 1, 3, 3), np.int8), np.zeros(4, np.int32), (1, 1), (0, 0, 0, 0),
            ShiftScaler(np.zeros(4, np.uint8), 4, 2**15), -128, 127, block_shift=np.zeros((4, 1), np.uint8),
        )  # fmt: skip


def test_block_widths() -> None:
    assert [block_width(7, blocks) for blocks in (1, 2, 3, 4, 7)] == [7, 4, 3, 2, 1]


def test_the_file_keeps_them(tmp_path: Path) -> None:
    network, path = network_of(random_shift(3)), tmp_path / "net.npz"
    save_network(network, path)
    loaded = load_network(path)
    assert np.array_equal(loaded.layers[0].block_shift, network.layers[0].block_shift)
    assert encode_network(loaded) == path.read_bytes() == encode_network(network)


def test_only_files_with_shifts_have_version_2(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    for shift, version in ((None, 1), (random_shift(2), 2)):
        save_network(network_of(shift), path)
        with np.load(path) as archive:
            assert json.loads(archive["header"].tobytes().decode())["version"] == version


def test_a_file_of_version_1_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.npz"
    monkeypatch.setattr(network_file, "needed_version", lambda network: 1)
    save_network(network_of(random_shift(2)), path)
    monkeypatch.undo()
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        assert "0000.block_shift.npy" in archive.namelist()
    with pytest.raises(WesnpuError, match="net.npz: version is 1: must be 2 for a block_shift"):
        load_network(path)


def test_the_engine_and_ordinary_qdq_have_none() -> None:
    network = network_of(random_shift(2))
    assert not runs_on_engine(network) and runs_on_engine(network_of(None))
    assert compile_network(network_of(None), PRESETS["small"])
    with pytest.raises(WesnpuError, match=r"layer conv: block_shift \(Eq. 8\) is given: the engine has no sub-layer"):
        compile_network(network, PRESETS["small"])
    with pytest.raises(WesnpuError, match="layer 'conv': ordinary QDQ has no block_shift"):
        export_qdq(network)


def test_two_bits_per_channel_and_block_are_counted() -> None:
    plain, blocks = network_of(None), network_of(random_shift(3))
    assert channel_bytes(blocks) - channel_bytes(plain) == 3 * 2 / 8
