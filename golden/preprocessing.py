"""How an image becomes the input of a network."""

from dataclasses import dataclass

from golden import check
from golden.errors import WesnpuError

CHANNEL_ORDERS = ("RGB", "BGR", "L")
LAYOUTS = ("NCHW", "NHWC")


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the network's input; applied by every command.

    Images are decoded to uint8 RGB, the shorter side resized to `resize` (bilinear; None: as it is), the centre
    `height` x `width` cropped, channels put in `channel_order` ("RGB", "BGR" or "L" for one channel), and normalised:
    real = (pixel / value_range - mean) / std per channel (value_range 1 keeps 0..255, 255 gives 0..1). The float
    network sees it in `layout` ("NCHW" or "NHWC"). mean and std have one element or one per channel; std > 0.
    """

    height: int
    width: int
    channel_order: str = "RGB"
    resize: int | None = None
    value_range: float = 1.0
    mean: tuple[float, ...] = (128.0,)
    std: tuple[float, ...] = (128.0,)
    layout: str = "NCHW"

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "height", check.integer("preprocessing height", self.height, 1, 65535))
        put(self, "width", check.integer("preprocessing width", self.width, 1, 65535))
        if self.channel_order not in CHANNEL_ORDERS:
            raise WesnpuError(f"preprocessing channel_order is {self.channel_order!r}: must be one of {CHANNEL_ORDERS}")
        if self.layout not in LAYOUTS:
            raise WesnpuError(f"preprocessing layout is {self.layout!r}: must be one of {LAYOUTS}")
        if self.resize is not None:
            put(self, "resize", check.integer("preprocessing resize", self.resize, 1, 65535))
        put(self, "value_range", check.real("preprocessing value_range", self.value_range, positive=True))
        put(self, "mean", self._constants("mean", self.mean, positive=False))
        put(self, "std", self._constants("std", self.std, positive=True))

    def _constants(self, name: str, values: tuple[float, ...], *, positive: bool) -> tuple[float, ...]:
        if not isinstance(values, (tuple, list)) or len(values) not in (1, self.channels):
            raise WesnpuError(f"preprocessing {name} is {values!r}: must be 1 or {self.channels} numbers")
        return tuple(check.real(f"preprocessing {name}", value, positive=positive) for value in values)

    @property
    def channels(self) -> int:
        """Number of input channels: 1 for "L", else 3."""
        return 1 if self.channel_order == "L" else 3
