"""What an engine cannot run is refused in one line that names the layer, the value and the limit."""

import dataclasses
import re

import numpy as np
import pytest

from compiler.config import PRESETS, EngineConfig
from compiler.encode import decode
from compiler.encoding import Unit
from compiler.program import compile_network
from golden.channel_multiplier import ChannelMultiplier
from golden.errors import WesnpuError
from golden.network import Network
from golden.requantize import Requantizer
from sim.layers import Builder, Shape
from tests.compiler_check import check_compiled
from tests.compiler_networks import NONE, ONE

SMALL = PRESETS["small"]
SAME = (1, 1, 1, 1)


def network_of(size: tuple[int, int, int], guard_bits: int = 7, **shape) -> Network:
    """One layer on an input of this size."""
    builder = Builder(np.random.default_rng(0), guard_bits, *size)
    builder.add(Shape(**{"stride": ONE, "padding": NONE} | shape))
    return builder.network("refused")


def refusal(network: Network, config: EngineConfig = SMALL) -> str:
    with pytest.raises(WesnpuError) as caught:
        compile_network(network, config)
    message = str(caught.value)
    assert "\n" not in message
    return message


def with_requantizer(network: Network, requantizer: Requantizer) -> Network:
    layers = [dataclasses.replace(layer, requantizer=requantizer) for layer in network.layers]
    return dataclasses.replace(network, layers=tuple(layers))


@pytest.mark.parametrize("stride", [(3, 1), (1, 3), (4, 4)])
def test_other_strides(stride: tuple[int, int]) -> None:
    network = network_of((8, 12, 12), kernel=(3, 3), channels=8, stride=stride)
    assert refusal(network) == f"layer layer0: stride {stride} must be 1 or 2 in each direction"


def test_a_stride_that_takes_no_step_is_no_matter() -> None:
    """Global pooling is often exported with a stride as large as its kernel."""
    network = network_of((8, 7, 7), depthwise=True, kernel=(7, 7), stride=(7, 7), equal_weights=True)
    image = np.random.default_rng(1).integers(-128, 128, (8, 7, 7)).astype(np.int8)
    assert check_compiled(compile_network(network, SMALL), image, seed=1) > 0


def test_other_requantizers() -> None:
    network = network_of((8, 4, 4), kernel=ONE, channels=8)
    other = ChannelMultiplier(np.full(8, 2**14, np.uint32), np.full(8, 40, np.uint8))
    assert refusal(with_requantizer(network, other)).startswith("layer layer0: requantizer ChannelMultiplier")


def test_half_steps() -> None:
    network = network_of((8, 4, 4), kernel=ONE, channels=8)
    scaler = dataclasses.replace(network.layers[0].requantizer, half_step=np.ones(8, np.uint8))
    assert refusal(with_requantizer(network, scaler)).startswith("layer layer0: requantizer ShiftScaler")


def test_other_guard_bits() -> None:
    network = network_of((8, 4, 4), guard_bits=5, kernel=ONE, channels=8)
    assert refusal(network) == (
        "layer layer0: G = 5, the engine small has G = 7: quantize with --guard-bits 7 for it"
    )
    assert refusal(network_of((8, 4, 4), kernel=ONE, channels=8), PRESETS["nano"]).endswith("--guard-bits 5 for it")


def test_weights_that_do_not_fit_too_often() -> None:
    """14 x 14 output steps of 64 lane groups, each in 9 pieces."""
    network = network_of((512, 14, 14), kernel=(3, 3), padding=SAME, channels=512)
    assert refusal(network) == (
        f"layer layer0: the weights of a lane group are {512 * 9 * 8} bytes, the weight memory has {512 * 64}; "
        "cut into 9 pieces for each of 64 lane groups of 196 output steps it takes 112896 COMPUTE commands, "
        "a program holds 65535"
    )


def test_input_that_does_not_fit_too_often() -> None:
    """A pixel of 129 blocks and the one of its output exceed 128 words: input and sums in pieces, at each pixel."""
    network = network_of((129 * 16, 100, 100), kernel=ONE, channels=16)
    config = dataclasses.replace(SMALL, scratchpad_words=128)
    assert re.fullmatch(
        rf"layer layer0: an output step takes {130 * 16} bytes of the scratchpad, which has {128 * 16}; cut into "
        r"\d+ pieces for each of 2 lane groups of 10000 output steps it takes \d+ COMPUTE commands, "
        "a program holds 65535",
        refusal(network, config),
    )


def test_more_tiles_than_a_program_holds() -> None:
    network = network_of((16, 32767, 32), kernel=ONE, channels=16)
    config = dataclasses.replace(SMALL, scratchpad_words=16)
    assert re.fullmatch(
        rf"layer layer0: an output row takes {2 * 32 * 16} bytes of the scratchpad, which has 256; "
        r"cut into \d+ tiles of 1 slabs it takes \d+ COMPUTE commands, a program holds 65535",
        refusal(network, config),
    )


@pytest.mark.parametrize("size", [(8, 32768, 1), (8, 1, 32768)])
def test_larger_than_int16(size: tuple[int, int, int]) -> None:
    message = refusal(network_of(size, depthwise=True, kernel=(3, 3), padding=SAME))
    assert message == f"layer layer0: tensor x has {size[1]} rows of {size[2]}: must be in 1..32767 each"


def test_tensors_larger_than_the_data_region() -> None:
    network = network_of((160, 32767, 1000), kernel=ONE, channels=8)
    config = dataclasses.replace(PRESETS["large"], scratchpad_words=65536)
    size, largest = (-(-blocks * 32767 * 1000 * 16 // 64) * 64 for blocks in (11, 10))
    assert refusal(network, config) == (
        f"network refused: tensors of {size} bytes, the data region has 4294967296: {largest} are x"
    )


def test_regions_smaller_than_what_lies_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the regions had fewer bytes: no test makes 4 GiB of weights."""
    network = network_of((8, 4, 4), kernel=ONE, channels=40)
    compiled = compile_network(network, SMALL)
    monkeypatch.setattr("compiler.program.REGION_MAX", compiled.data_size - 1)
    assert refusal(network) == (
        f"network refused: tensors of {compiled.data_size} bytes, the data region has {compiled.data_size - 1}: "
        f"{3 * 16 * 16} are t0 of layer layer0"
    )
    monkeypatch.setattr("compiler.program.REGION_MAX", len(compiled.image) - 1)
    assert refusal(network) == (
        f"network refused: weights, parameters and program of {len(compiled.image)} bytes, the image region has "
        f"{len(compiled.image) - 1}: most are of layer layer0, which has 320 weights"
    )


@pytest.mark.parametrize("depthwise", [False, True])
def test_as_tall_as_int16_allows(depthwise: bool) -> None:
    network = network_of((3, 32767, 2), depthwise=depthwise, kernel=(3, 2), padding=(1, 1, 1, 0), channels=3)
    image = np.random.default_rng(1).integers(-128, 128, (3, 32767, 2)).astype(np.int8)
    assert check_compiled(compile_network(network, SMALL), image, seed=1) > 0


def test_the_refused_layer_is_named_also_behind_others() -> None:
    builder = Builder(np.random.default_rng(0), 7, 8, 12, 12)
    builder.add(Shape(kernel=ONE, stride=ONE, padding=NONE, channels=8))
    builder.add(Shape(kernel=(3, 3), stride=(3, 1), padding=NONE, channels=8))
    assert refusal(builder.network("refused")).startswith("layer layer1: stride")


def test_more_commands_than_a_program_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of((8, 9, 9), kernel=ONE, channels=40)
    config = dataclasses.replace(SMALL, parameter_rows=4)  # one lane group per command
    commands = decode(compile_network(network, config).program)
    count = sum(command.unit == Unit.WEIGHTS for command in commands)
    monkeypatch.setattr("compiler.program.COMMANDS_MAX", count - 1)
    assert refusal(network, config) == (
        f"network refused: {count} WEIGHTS commands, a program holds {count - 1}: {count} are of layer layer0"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("lanes", 8.0), ("requant_lanes", 2.0), ("pixels", True), ("scratchpad_words", 2048.0), ("weight_rows", "64"),
     ("name", "a b/../x"), ("name", ""), ("name", None), ("lanes", 3), ("scratchpad_words", 16), ("requant_lanes", 5)],
)
def test_an_engine_that_cannot_be(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"EngineConfig.{field} = {re.escape(repr(value))} must"):
        dataclasses.replace(PRESETS["large"], **{field: value})


def test_larger_than_the_sizes_of_a_small_engine() -> None:
    """An engine that uses 10 bits of the sizes in commands names the layer, the field and what it takes."""
    message = refusal(network_of((5, 1100, 1), kernel=(2, 1), channels=2, guard_bits=5), PRESETS["nano"])
    assert message.startswith("layer layer0: COMPUTE input_height = 1100 must be in 0..1023: the engine nano has size_")
