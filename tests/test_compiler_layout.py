"""Tensors in external memory: bytes by hand, there and back, mistakes named."""

import numpy as np
import pytest

from compiler.layout import Placement


def numbered(channels: int, height: int, width: int) -> np.ndarray:
    return (np.arange(channels * height * width) % 251 - 125).astype(np.int8).reshape(channels, height, width)


def test_blocks_by_hand() -> None:
    """[ceil(C/16)][H][W][16]: channel 17 of pixel (1, 2) stands in block 1, behind all of block 0."""
    place = Placement(offset=64, channels=18, height=2, width=3)
    x = numbered(18, 2, 3)
    data = np.frombuffer(place.pack(x, fill=7), np.int8)
    assert place.size == data.size == 2 * 2 * 3 * 16
    assert data[(0 * 6 + 1 * 3 + 2) * 16 + 5] == x[5, 1, 2]
    assert data[(1 * 6 + 1 * 3 + 2) * 16 + 1] == x[17, 1, 2]
    assert (data.reshape(2, 6, 16)[1, :, 2:] == 7).all()


def test_packed_input_by_hand() -> None:
    """[H][W4][4]: rows of 5 pixels take 8, pixel (1, 4) channel 2 stands at ((1 * 8) + 4) * 4 + 2."""
    place = Placement(offset=0, channels=3, height=2, width=5, packed=True)
    x = numbered(3, 2, 5)
    data = np.frombuffer(place.pack(x, fill=-9), np.int8)
    assert place.size == data.size == 2 * 8 * 4
    assert data[(8 + 4) * 4 + 2] == x[2, 1, 4]
    assert (data.reshape(2, 8, 4)[:, :, 3] == -9).all() and (data.reshape(2, 8, 4)[:, 5:] == -9).all()


@pytest.mark.parametrize("packed", [False, True])
def test_there_and_back(packed: bool) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        channels, height, width = (int(n) for n in rng.integers(1, 5 if packed else 40, 3))
        x = rng.integers(-128, 128, (channels, height, width)).astype(np.int8)
        place = Placement(48, channels, height, width, packed)
        data = bytes(48) + place.pack(x, fill=0)
        assert np.array_equal(place.unpack(data), x)
        assert len(data) == 48 + place.size and place.size % 16 == 0


def test_fill_may_differ_by_channel() -> None:
    place = Placement(0, 2, 1, 1)
    full = place.unpack_full(place.pack(numbered(2, 1, 1), fill=np.arange(16)))
    assert full[2:, 0, 0].tolist() == list(range(2, 16))


@pytest.mark.parametrize("x", [numbered(2, 3, 3), numbered(3, 3, 3).astype(np.int16)])
def test_another_shape_or_type_is_refused(x: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"tensor is int\d+ \(\d, 3, 3\), must be int8 \(3, 3, 3\)"):
        Placement(0, 3, 3, 3).pack(x, fill=0)
