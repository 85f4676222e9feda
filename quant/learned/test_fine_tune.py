"""Learned power-of-two exponents: floor or ceiling by brute force, gradients by finite differences, whole networks."""

import numpy as np
import pytest

from golden.errors import WesnpuError
from golden.file import encode_network
from golden.run import run
from quant.float_graph.sample_graphs import real_images, residual_network
from quant.plan.input_scale import quantize_real
from quant.plan.lower import lower
from quant.recipe import execute, make_plan, recipe_passes

torch = pytest.importorskip("torch", reason="torch is missing; it comes with the extra 'train'")

from quant.learned import fine_tune  # noqa: E402
from quant.learned.gradient_exponents import DECAY, LearnedExponents, lower_error_exponent, quantized  # noqa: E402

SHAPE = (3, 8, 8)


def rows(seed: int, count: int = 6, size: int = 12):
    """Random rows of very different sizes."""
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.normal(size=(count, size)) * 2.0 ** generator.uniform(-4, 4, (count, 1)))


def error_by_hand(row: np.ndarray, k: int, limit: int) -> float:
    """The weighted squared error, in NumPy."""
    code = np.clip(np.rint(row / 2.0**k), -limit, limit)
    return float((np.square(code * 2.0**k - row) * (np.abs(row) <= 2 * row.std())).sum())


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_the_exponent_is_the_better_of_floor_and_ceiling(bits):
    limit, both = (1 << (bits - 1)) - 1, set()
    for seed in range(20):
        values = rows(seed)
        k = torch.log2(3 * values.std(dim=1, keepdim=True, correction=0) / limit)
        found = lower_error_exponent(values, k, limit).ravel()
        for row, real, chosen in zip(values.numpy(), k.numpy().ravel(), found.numpy(), strict=True):
            errors = {e: error_by_hand(row, e, limit) for e in (int(np.floor(real)), int(np.ceil(real)))}
            assert errors[int(chosen)] <= min(errors.values()) * (1 + 1e-12), (seed, errors)
            both.add(int(chosen) == int(np.ceil(real)))
    assert both == {True, False}


def relaxed(values: np.ndarray, k: np.ndarray, limit: int, added: np.ndarray) -> np.ndarray:
    """The quantizer with rounding replaced by the addition of a constant."""
    return np.clip(values / 2.0**k + added, -limit, limit) * 2.0**k


def test_gradients_are_the_finite_differences_of_the_relaxed_quantizer():
    limit, step, checked = 7, 1e-6, 0
    for seed in range(10):
        values = rows(seed).requires_grad_()
        k = torch.full((6, 1), -1.0, dtype=torch.float64, requires_grad=True)
        weight = rows(seed + 100)
        (quantized(values, k, limit) * weight).sum().backward()
        w, e, g = values.detach().numpy(), k.detach().numpy(), weight.numpy()
        added = np.rint(w / 2.0**e) - w / 2.0**e
        edge = np.abs(np.abs(w / 2.0**e + added) - limit) < 1e-3  # the relaxed function has a corner there
        by_k = (relaxed(w, e + step, limit, added) - relaxed(w, e - step, limit, added)) / (2 * step) * g
        by_w = (relaxed(w + step, e, limit, added) - relaxed(w - step, e, limit, added)) / (2 * step) * g
        smooth = ~edge.any(axis=1)
        assert np.allclose(k.grad.numpy().ravel()[smooth], by_k.sum(axis=1)[smooth], atol=1e-5)
        assert np.allclose(values.grad.numpy()[~edge], by_w[~edge], atol=1e-5)
        checked += np.count_nonzero(smooth)
    assert checked > 10


def test_the_gradient_passes_through_the_choice_of_the_exponent():
    weight = rows(1).float().reshape(6, 12, 1, 1)
    layer = LearnedExponents(weight, 4, per_channel=True)
    (layer(weight) ** 2).sum().backward()
    used = layer.exponent(weight).requires_grad_()
    (quantized(weight.reshape(6, -1), used, 7) ** 2).sum().backward()
    assert torch.equal(layer.k.grad, used.grad) and layer.k.grad.abs().min() > 0


def test_the_average_follows_the_exponents_used_and_is_frozen_rounded():
    weight = rows(2).float().reshape(6, 12, 1, 1)
    layer = LearnedExponents(weight, 4, per_channel=False)
    start, used = layer.k.item(), layer.exponent(weight).item()
    for _ in range(3):
        layer(weight)
    expected = DECAY**3 * start + (1 - DECAY**3) * used
    assert abs(layer.average.item() - expected) < 1e-5 and layer.k.shape == (1, 1)
    layer.freeze(weight)
    with torch.no_grad():
        layer.k += 5
    assert layer.exponent(weight).item() in (np.floor(expected), np.ceil(expected))


def tuned(steps: int, bits: int, per_channel: bool):
    """A fine-tuned plan of the residual network: classes by the largest of five sums of pixels."""
    plan = make_plan(residual_network(8), real_images(0, 16, SHAPE), recipe="pow2-channel", weight_bits=bits)
    execute(plan, recipe_passes("pow2-channel"))
    images = real_images(1, 256, SHAPE)
    labels = images.reshape(256, -1)[:, :190].reshape(256, 5, 38).sum(axis=2).argmax(axis=1)
    losses = []
    schedule = fine_tune.Schedule(steps=steps, batch=64, rate=1e-2)
    fine_tune.fine_tune(
        plan, images, labels, schedule, per_channel=per_channel, progress=lambda step, loss: losses.append(loss)
    )
    return plan, losses, images


@pytest.mark.parametrize("per_channel", [False, True])
def test_the_integer_network_is_the_one_that_was_trained(per_channel):
    plan, losses, images = tuned(30, 4, per_channel)
    network = lower(plan)
    assert {layer.requantizer.multiplier for layer in network.layers} == {2**15}
    source = network.tensors[network.input]
    codes = run(network, quantize_real(images, source.scale, source.zero_point), keep=True).tensors
    net = fine_tune.FineTuned(plan, per_channel=per_channel).eval()
    for index, layer in enumerate(net.layers):  # the plan's own codes, exactly
        weight = plan.codes[list(net.index)[index]]
        layer.forward = lambda _, real=weight.real: torch.from_numpy(real.astype(np.float32))
    with torch.no_grad():
        trained = net(torch.from_numpy(images)).numpy()
    target = network.tensors[network.outputs[0]]
    difference = np.abs(trained / target.scale + target.zero_point - codes[target.name].reshape(len(images), -1))
    assert difference.max() <= 2 and (difference < 0.5).mean() > 0.9
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) and len(losses) == 30


def test_two_runs_are_byte_identical():
    one, other = (encode_network(lower(tuned(6, 3, True)[0])) for _ in range(2))
    assert one == other


def test_what_the_engine_cannot_run_is_refused(monkeypatch):
    monkeypatch.setattr(fine_tune, "recheck", lambda plan: not plan.note("scale raised"))
    with pytest.raises(WesnpuError, match="fine-tuning left scales that the engine cannot run: "):
        tuned(1, 4, False)
