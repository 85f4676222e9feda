"""Running networks: what is kept, what is freed, batches, refused input."""

import weakref

import numpy as np
import pytest

from golden import run as run_module
from golden.channel_multiplier import ChannelMultiplier
from golden.double_rounding import DoubleRounding
from golden.errors import WesnpuError
from golden.network import ConvLayer, Network
from golden.power_of_two import PowerOfTwo
from golden.run import run
from tests.golden_networks import Builder, mobilenet_v2


@pytest.fixture(scope="module")
def small() -> tuple[Network, np.ndarray]:
    rng = np.random.default_rng(5)
    network = mobilenet_v2(rng, size=32, classes=7)
    return network, rng.integers(-128, 128, (2, 3, 32, 32)).astype(np.int8)


def test_modes_agree_on_every_tensor(small: tuple[Network, np.ndarray]) -> None:
    network, images = small
    exact, fast = run(network, images[0], keep=True, exact=True), run(network, images[0], keep=True)
    assert list(fast.tensors) == list(network.tensors)
    for name, tensor in network.tensors.items():
        assert fast.tensors[name].shape == tensor.shape and fast.tensors[name].dtype == np.int8
        assert np.array_equal(fast.tensors[name], exact.tensors[name]), name
        assert name == "x0" or len(np.unique(fast.tensors[name])) > 2, f"{name} is nearly constant and shows little"


def test_batch_is_its_images(small: tuple[Network, np.ndarray]) -> None:
    network, images = small
    both = run(network, images, keep={"x7"}, stages={"layer3"})
    for i, image in enumerate(images):
        one = run(network, image, keep={"x7"}, stages={"layer3"})
        assert np.array_equal(both.outputs["x54"][i], one.outputs["x54"])
        assert np.array_equal(both.tensors["x7"][i], one.tensors["x7"])
        assert np.array_equal(both.stages["layer3"].acc[i], one.stages["layer3"].acc)
    assert set(both.outputs) == {"x54"} and set(both.tensors) == {"x7"} and set(both.stages) == {"layer3"}


def test_stages_belong_together(small: tuple[Network, np.ndarray]) -> None:
    network, images = small
    result = run(network, images[0], keep=True, stages=True)
    assert list(result.stages) == [layer.name for layer in network.layers]
    for layer in network.layers:
        stages = result.stages[layer.name]
        assert np.array_equal(stages.output, result.tensors[layer.output])
        assert np.array_equal(stages.product, stages.shifted * layer.requantizer.multiplier)


def test_tensors_are_freed_after_their_last_reader(
    small: tuple[Network, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, images = small
    alive: list[weakref.ref] = []
    most = 0

    class Watched:
        def __init__(self, plan: object) -> None:
            self.plan = plan

        def run(self, x: np.ndarray, residual: np.ndarray | None) -> np.ndarray:
            nonlocal most
            out = self.plan.run(x, residual)  # type: ignore[attr-defined]
            alive.append(weakref.ref(out))
            most = max(most, sum(ref() is not None for ref in alive))
            return out

    original = run_module.layer_plan
    monkeypatch.setattr(run_module, "layer_plan", lambda *names: Watched(original(*names)))
    run(network, images[0])
    assert most == 3 and len(alive) == 54  # input, output and the residual operand of a bottleneck


def test_network_whose_input_is_also_an_output() -> None:
    build = Builder(np.random.default_rng(0), (2, 3, 3))
    build.conv(2, 1, 1, depthwise=True, relu=False)
    network = Network("n", "x0", ("x0", "x1"), build.tensors, tuple(build.layers))
    image = np.arange(18, dtype=np.int8).reshape(2, 3, 3)
    assert np.array_equal(run(network, image).outputs["x0"], image)


@pytest.mark.parametrize("kind", ["32", "16", "double", "power"])
@pytest.mark.parametrize("with_residual", [False, True])
def test_other_requantizers_run_in_the_fast_path(kind: str, with_residual: bool) -> None:
    rng = np.random.default_rng(8)
    build = Builder(rng, (6, 9, 8))
    build.conv(6, 3, 1, depthwise=True, relu=False)
    build.conv(6, 3, 1, depthwise=False, relu=False, residual="x1" if with_residual else "")
    layer = build.layers[1]
    channels, multiplier = 6, rng.integers(2**15, 2**16, 6).astype(np.uint32)
    requantizer = {
        "32": ChannelMultiplier(multiplier << 15, np.full(channels, 40, np.uint8)),
        "16": ChannelMultiplier(multiplier, np.full(channels, 25, np.uint8), 16),
        "double": DoubleRounding(multiplier << 15, np.full(channels, 9, np.uint8)),
        "power": PowerOfTwo(np.full(channels, 9, np.uint8)),
    }[kind]
    values = {name: getattr(layer, name) for name in layer.__dataclass_fields__} | {"requantizer": requantizer}
    build.layers[1] = ConvLayer(**values)
    network, image = build.network(kind), rng.integers(-128, 128, (6, 9, 8)).astype(np.int8)
    exact, fast = run(network, image, keep=True, exact=True), run(network, image, keep=True)
    assert np.array_equal(exact.tensors["x2"], fast.tensors["x2"]) and len(np.unique(fast.tensors["x2"])) > 20


def test_global_pooling_is_the_rounded_mean() -> None:
    """An average of codes of one scale is the mean of the codes, half up up to the truncation of Eq. 3."""
    rng = np.random.default_rng(2)
    build = Builder(rng, (5, 8, 4))
    build.pool()
    network, image = build.network("pool"), rng.integers(-128, 128, (5, 8, 4)).astype(np.int8)
    means = image.reshape(5, -1).astype(int).sum(axis=1) / 32
    assert run(network, image).outputs["x1"].reshape(-1).tolist() == [int(np.floor(m + 0.5)) for m in means]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((3, 32, 32)), "float64"),
        (np.zeros((3, 32, 31), np.int8), r"\(3, 32, 31\)"),
        (np.zeros((0, 3, 32, 32), np.int8), "empty batch"),
        ([[1]], "list"),
    ],
)
def test_wrong_input_is_refused(small: tuple[Network, np.ndarray], image: object, words: str) -> None:
    with pytest.raises(WesnpuError, match=words):
        run(small[0], image)  # type: ignore[arg-type]


def test_unknown_names_are_refused(small: tuple[Network, np.ndarray]) -> None:
    network, images = small
    with pytest.raises(WesnpuError, match="keep names .'nope'"):
        run(network, images[0], keep={"nope", "x1"})
    with pytest.raises(WesnpuError, match="stages names"):
        run(network, images[0], stages={"x1"})
    with pytest.raises(WesnpuError, match="keep names 'x1'"):
        run(network, images[0], keep="x1")
