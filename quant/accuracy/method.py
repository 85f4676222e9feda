"""What is compared: a recipe at a number of weight and activation bits, or a baseline of another tool."""

from dataclasses import dataclass

from golden.errors import WesnpuError
from quant.recipe import recipe_passes

ORT_TENSOR, ORT_CHANNEL = "ort-tensor", "ort-channel"
BASELINES = (ORT_TENSOR, ORT_CHANNEL)  # ONNX Runtime's static quantization, one weight scale per tensor or channel


@dataclass(frozen=True)
class Method:
    """A recipe of `quant.recipe` or one of BASELINES (those at 8 bits only), with its bits.

    WesnpuError for a recipe that does not exist.
    """

    recipe: str
    weight_bits: int = 8
    activation_bits: int = 8

    def __post_init__(self) -> None:
        if not self.baseline:
            recipe_passes(self.recipe)
        elif (self.weight_bits, self.activation_bits) != (8, 8):
            raise WesnpuError(f"{self.recipe} is asked for at {self.bits}: ONNX Runtime's quantization is W8A8")

    @property
    def baseline(self) -> bool:
        """Whether another tool makes and runs it."""
        return self.recipe in BASELINES

    @property
    def bits(self) -> str:
        """Bits of weights and activations, 'W8A8'."""
        return f"W{self.weight_bits}A{self.activation_bits}"

    def __str__(self) -> str:
        return f"{self.recipe} {self.bits}"
