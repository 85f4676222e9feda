"""Random two-layer networks for golden's tests: every kind of layer, from one seed, corner values preferred."""

import numpy as np

from golden.bounds import product_bounds
from golden.network import ConvLayer, Network, Residual, Tensor
from golden.requantize import INT32_MAX, INT32_MIN, ShiftScaler
from golden.sub_layer import shifted_weight


def _choose(rng: np.random.Generator, *values: int) -> int:
    return int(values[rng.integers(len(values))])


def random_bias(rng: np.random.Generator, weight: np.ndarray, codes: tuple[int, int]) -> np.ndarray:
    """int32 biases from tiny to the last one whose accumulator still fits int32, each channel its own size."""
    smallest, largest = product_bounds(weight, *codes)
    low, high = INT32_MIN - np.minimum(smallest, 0), INT32_MAX - np.maximum(largest, 0)
    near = np.full_like(low, 2**24)  # where single precision ends
    edges = np.stack([low, high, rng.integers(low, high + 1), near - 1, -near])
    small = rng.integers(-30000, 30001, (3, len(low)))
    pool = np.concatenate([edges, small])
    return pool[rng.integers(len(pool), size=len(low)), np.arange(len(low))].astype(np.int32)


def random_scaler(rng: np.random.Generator, channels: int, guard_bits: int) -> ShiftScaler:
    """Any legal shift scaler: shifts 0 and 15, exponents 0 and 16, M at its limits and 0 included."""
    return ShiftScaler(
        shift=rng.choice([0, 15, *range(16)], channels).astype(np.uint8),
        exponent=_choose(rng, 0, 16, *range(4, 12)),
        multiplier=_choose(rng, 0, 2**15, 2**16 - 1, *rng.integers(2**15, 2**16, 6)),
        guard_bits=guard_bits,
        half_step=rng.integers(0, 2, channels).astype(np.uint8) if rng.random() < 0.3 else None,
    )


def random_block_shift(rng: np.random.Generator, channels: int, inputs: int) -> np.ndarray | None:
    """d of Eq. 8 for a random number of blocks, all 0 and all 3 included; often none."""
    blocks = _choose(rng, *(n for n in range(1, inputs + 1) if -(-inputs // -(-inputs // n)) == n))
    if rng.random() < 0.6:
        return None
    return np.clip(rng.integers(-1, 5, (channels, blocks)), 0, 3).astype(np.uint8)


def _layer(rng: np.random.Generator, source: Tensor, codes: tuple[int, int], guard_bits: int, *, second: bool) -> tuple:
    """(layer, output tensor); the second layer keeps its input's shape and may have its input as residual operand."""
    depthwise = bool(rng.random() < 0.5)
    sizes = ((1, 3, 5), (1, 3)) if second else (range(1, 12), (1, 2, 3, 4))
    kernel = _choose(rng, *sizes[0]), _choose(rng, *sizes[1])
    top, left = (kernel[0] // 2, kernel[1] // 2) if second else (int(rng.integers(k)) for k in kernel)
    bottom, right = (top, left) if second else (int(rng.integers(k)) for k in kernel)
    channels = source.channels if second or depthwise else _choose(rng, 1, 2, 3, 5)
    bottom = max(bottom, min(kernel[0] - 1, kernel[0] - source.height - top))
    right = max(right, min(kernel[1] - 1, kernel[1] - source.width - left))
    bits = _choose(rng, 2, 3, 4, 6, 8, 8, 8)
    limit = (1 << (bits - 1)) - 1
    shape = (channels, 1 if depthwise else source.channels, *kernel)
    weight = (rng.integers(-limit, limit + 1, shape) << (8 - bits)).astype(np.int8)
    if rng.random() < 0.2:
        weight[:] = (limit << (8 - bits)) * _choose(rng, -1, 1)
    zero_point = _choose(rng, -128, 127, 0, int(rng.integers(-128, 128)))
    lo, hi = sorted(_choose(rng, -128, 127, zero_point, int(rng.integers(-128, 128))) for _ in range(2))
    if rng.random() < 0.5:
        lo, hi = -128, 127
    low, high = min(codes[0], source.zero_point), max(codes[1], source.zero_point)
    residual = None
    if second and rng.random() < 0.7:
        residual = Residual(source.name, _choose(rng, 0, 1, 2**15, int(rng.integers(2**15))))
    name = "z" if second else "y"
    block_shift = None if depthwise else random_block_shift(rng, *shape[:2])
    layer = ConvLayer(
        name=f"to_{name}",
        input=source.name,
        output=name,
        depthwise=depthwise,
        weight=weight,
        bias=random_bias(rng, shifted_weight(weight, block_shift), (low, high)),
        stride=(1, 1) if second else (_choose(rng, 1, 2, 3), _choose(rng, 1, 2, 3)),
        padding=(top, left, bottom, right),
        requantizer=random_scaler(rng, channels, guard_bits),
        lo=lo,
        hi=hi,
        residual=residual,
        weight_bits=bits,
        block_shift=block_shift,
    )
    return layer, Tensor(name, *layer.output_shape(source.height, source.width), 0.1, zero_point)


def random_network(seed: int) -> tuple[Network, np.ndarray]:
    """A network of two random layers and an input image, int8 (C, H, W)."""
    rng = np.random.default_rng(seed)
    guard_bits = _choose(rng, 7, 7, 7, 5, 0, 12)
    height, width = (int(size) for size in rng.integers(1, 9, 2))
    x = Tensor("x", _choose(rng, 1, 2, 3, 4), height, width, 0.1, _choose(rng, -128, 127, 5))
    first, y = _layer(rng, x, (-128, 127), guard_bits, second=False)
    second, z = _layer(rng, y, (first.lo, first.hi), guard_bits, second=True)
    network = Network("random", "x", ("z",), {"x": x, "y": y, "z": z}, (first, second), guard_bits)
    image = rng.integers(-128, 128, x.shape).astype(np.int8)
    if rng.random() < 0.1:
        image[:] = _choose(rng, -128, 127)
    return network, image
