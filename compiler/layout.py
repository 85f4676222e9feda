"""External memory: where tensors lie in the data region, and how an int8 array becomes those bytes and comes back."""

from dataclasses import dataclass

import numpy as np

CHANNELS_PER_BLOCK = 16
PACKED_CHANNELS = 4
BASE_ALIGNMENT = 64


def blocks_of(channels: int) -> int:
    """Channel blocks of 16 that hold `channels`."""
    return -(-channels // CHANNELS_PER_BLOCK)


@dataclass(frozen=True)
class Placement:
    """A tensor in the data region at byte `offset`.

    Layout [ceil(C/16)][H][W][16], or with `packed` (a network input of at most 4 channels) [H][W4][4].
    """

    offset: int
    channels: int
    height: int
    width: int
    packed: bool = False

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of one channel block."""
        if self.packed:
            return -(-self.width // 4) * 16
        return self.width * CHANNELS_PER_BLOCK

    @property
    def block_bytes(self) -> int:
        """Bytes of one channel block."""
        return self.row_bytes * self.height

    @property
    def size(self) -> int:
        """Bytes of the tensor."""
        return self.block_bytes * (1 if self.packed else blocks_of(self.channels))

    def pack(self, x: np.ndarray, fill: int | np.ndarray) -> bytes:
        """The bytes of x, int8 (C, H, W); `fill`: what channels beyond C hold (scalar or one value per channel).

        Packed rows are filled up with `fill`, too. ValueError on another shape or dtype.
        """
        if x.dtype != np.int8 or x.shape != (self.channels, self.height, self.width):
            raise ValueError(f"tensor is {x.dtype} {x.shape}, must be int8 {(self.channels, self.height, self.width)}")
        width, depth = self.width, blocks_of(self.channels) * CHANNELS_PER_BLOCK
        if self.packed:
            width, depth = self.row_bytes // 4, PACKED_CHANNELS
        full = np.empty((depth, self.height, width), np.int8)
        full[:] = np.broadcast_to(np.asarray(fill, np.int8).reshape(-1, 1, 1), full.shape)
        full[: self.channels, :, : self.width] = x
        if self.packed:
            return full.transpose(1, 2, 0).tobytes()
        blocks = full.reshape(-1, CHANNELS_PER_BLOCK, self.height, self.width)
        return blocks.transpose(0, 2, 3, 1).tobytes()

    def unpack(self, data: bytes) -> np.ndarray:
        """The tensor int8 (C, H, W) in the data region's bytes `data`."""
        return self.unpack_full(data)[: self.channels, :, : self.width]

    def unpack_full(self, data: bytes) -> np.ndarray:
        """As `unpack`, with the channels (and packed columns) beyond the tensor's."""
        raw = np.frombuffer(data, np.int8, self.size, self.offset)
        if self.packed:
            return raw.reshape(self.height, -1, PACKED_CHANNELS).transpose(2, 0, 1)
        blocks = raw.reshape(-1, self.height, self.width, CHANNELS_PER_BLOCK)
        return blocks.transpose(0, 3, 1, 2).reshape(-1, self.height, self.width)


def aligned(size: int) -> int:
    """The next multiple of the base alignment."""
    return -(-size // BASE_ALIGNMENT) * BASE_ALIGNMENT
