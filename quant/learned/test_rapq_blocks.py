"""Block reconstruction with learned rounding, in torch: its parts against NumPy, the pass on whole integer networks."""

import sys

import numpy as np
import pytest

from golden.errors import WesnpuError
from golden.file import encode_network
from golden.run import run
from quant.float_graph.graph import BatchNorm, Conv
from quant.float_graph.numpy_run import run_graph
from quant.float_graph.sample_graphs import real_images, residual_network
from quant.passes import rapq_blocks
from quant.plan.input_scale import quantize_real
from quant.plan.scales import Scale
from quant.recipe import execute, make_plan, quantize, recipe_passes
from quant.weights.weights import rounded

RECIPE, SHAPE = "pow2-channel+rapq-blocks", (3, 8, 8)
REASON = "torch is missing; it comes with the extra 'train'"


def prepared(bits: int):
    """A plan of the residual network with nearest codes, before the blocks are learned."""
    plan = make_plan(residual_network(5), real_images(5, 8, SHAPE), recipe=RECIPE, weight_bits=bits)
    passes = recipe_passes(RECIPE)
    execute(plan, passes[: passes.index("rapq_blocks")])
    return plan


def learned(bits: int):
    """A layer's LearnedRounding with what it was made from."""
    torch = pytest.importorskip("torch", reason=REASON)
    from quant.learned.learned_rounding import LearnedRounding

    plan = prepared(bits)
    operation = plan.operations[0]
    weights = plan.codes[operation.name]
    return torch, operation, weights, LearnedRounding(operation, weights, plan.bias(operation))


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_learning_starts_at_the_real_weights_and_at_the_nearest_codes(bits):
    torch, operation, weights, layer = learned(bits)
    assert np.abs(layer.weight().detach().numpy() - operation.weight).max() < 1e-5
    assert np.array_equal(layer.codes().codes, rounded(operation.weight, weights.unit, bits))


@pytest.mark.parametrize("bits", [2, 4])
def test_hard_rounding_takes_the_side_that_was_learned(bits):
    torch, operation, weights, layer = learned(bits)
    up = np.random.default_rng(0).random(operation.weight.shape) < 0.5
    with torch.no_grad():
        layer.v.copy_(torch.from_numpy(np.where(up, 9.0, -9.0).astype(np.float32)))
    step, limit = 1 << (8 - bits), (1 << (bits - 1)) - 1
    floor = np.floor(operation.weight / (weights.unit * step))
    expected = np.clip(floor + up, -limit, limit) * step
    assert np.array_equal(layer.codes().codes, expected) and layer.codes().codes.dtype == np.int8
    assert np.allclose(layer.weight().detach().numpy(), layer.codes().real, atol=1e-7)
    assert not np.array_equal(expected, rounded(operation.weight, weights.unit, bits))
    assert layer.undecided(2.0).item() == 0


def test_the_regulariser_is_largest_where_nothing_is_decided():
    torch, operation, _, layer = learned(4)
    with torch.no_grad():
        layer.v.zero_()
    for beta in (2.0, 20.0):
        assert abs(layer.undecided(beta).item() - operation.weight.size) < 1e-3


def test_operations_in_torch_are_those_of_the_float_graph():
    torch = pytest.importorskip("torch", reason=REASON)
    from quant.learned.torch_operations import compute

    plan, x = prepared(8), real_images(6, 3, SHAPE).astype(np.float64)
    wanted, tensors = run_graph(plan.graph, x), {plan.graph.input: torch.from_numpy(x)}
    for operation in plan.operations:
        weight, bias = torch.from_numpy(operation.weight), torch.from_numpy(operation.bias)
        residual = tensors.get(operation.residual)
        tensors[operation.output] = compute(operation, tensors[operation.input], weight, bias, residual)
        assert np.allclose(tensors[operation.output].numpy(), wanted[operation.output], atol=1e-9), operation.name
    assert len(plan.operations) == 9


def test_rounded_activations_are_the_codes_of_golden_and_pass_the_gradient_where_nothing_is_clipped():
    torch = pytest.importorskip("torch", reason=REASON)
    from quant.learned.torch_operations import rounded_activation

    scale = Scale(2.0**-4, -100)
    x = torch.linspace(-3, 20, 4001, requires_grad=True)
    y = rounded_activation(x, scale, (-110, 90))
    codes = np.clip(quantize_real(x.detach().numpy(), scale.scale, scale.zero_point), -110, 90)
    assert np.array_equal(y.detach().numpy(), (codes.astype(float) - scale.zero_point) * scale.scale)
    y.sum().backward()
    inside = (x > -10 / 16) & (x < 190 / 16)
    assert np.array_equal(x.grad.numpy() == 1, inside.numpy()) and np.isin(x.grad.numpy(), (0, 1)).all()


def test_the_exponent_of_the_loss_follows_the_last_batch_normalization():
    pytest.importorskip("torch", reason=REASON)
    from quant.learned.block_reconstruction import POWER_GAIN, loss_power

    plan = prepared(8)
    block = [operation for operation in plan.operations if operation.name in ("expand", "depthwise", "project")]
    assert loss_power(plan.graph, block) == 2.0
    for node in plan.graph.nodes:
        if node.name in ("expand", "depthwise"):
            node.batch_norm = BatchNorm(np.full(16, 100.0 if node.name == "expand" else 1 / 16), np.zeros(16))
    assert loss_power(plan.graph, block) == 1 + POWER_GAIN / 2  # sum gamma = 1: sigmoid(0)


def test_blocks_hand_a_single_tensor_on_and_keep_additions_whole():
    pytest.importorskip("torch", reason=REASON)
    from quant.learned.block_reconstruction import blocks

    operations = prepared(8).operations
    groups = blocks(operations)
    assert [operation for group in groups for operation in group] == operations and len(groups) > 1
    for first, second in zip(groups, groups[1:], strict=False):
        made = {operation.output for operation in first}
        read = {name for group in groups[groups.index(second) :] for o in group for name in (o.input, o.residual)}
        assert made & read == {first[-1].output}


def output_error(network, graph, images) -> float:
    """Mean squared error of the scores."""
    tensor, source = network.tensors[network.outputs[0]], network.tensors[network.input]
    codes = run(network, quantize_real(images, source.scale, source.zero_point)).outputs[tensor.name]
    real = (codes.astype(float) - tensor.zero_point) * tensor.scale
    return float(np.square(real - run_graph(graph, images)[tensor.name]).mean())


def test_the_pass_is_nearer_to_float_than_nearest_rounding_and_two_runs_are_byte_identical(monkeypatch):
    pytest.importorskip("torch", reason=REASON)
    monkeypatch.setattr(rapq_blocks, "ITERATIONS", 100)
    graph, images = residual_network(5), real_images(5, 64, SHAPE)
    for node in graph.nodes:
        if isinstance(node, Conv):
            node.weight *= 2  # against the decay of the signal
    one, other = (quantize(graph, images, recipe=RECIPE, weight_bits=2) for _ in range(2))
    plain = quantize(graph, images, recipe="pow2-channel", weight_bits=2)
    assert encode_network(one) == encode_network(other)
    assert {layer.requantizer.multiplier for layer in one.layers} == {2**15}
    fresh = real_images(99, 64, SHAPE)
    errors = [output_error(network, graph, fresh) for network in (one, plain)]
    print(f"mean squared error on other images: learned {errors[0]:.4g}, nearest {errors[1]:.4g}")
    assert errors[0] < 0.6 * errors[1]
    changed = [np.count_nonzero(a.weight != b.weight) for a, b in zip(one.layers, plain.layers, strict=True)]
    assert sum(changed) > 10


def test_without_torch_the_recipe_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(WesnpuError, match="rapq-blocks needs torch: install the extra 'train'"):
        quantize(residual_network(5), real_images(5, 2, SHAPE), recipe=RECIPE)
