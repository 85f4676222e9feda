"""Kernel, stride and padding attributes of convolutions and poolings."""

from quant.onnx_import.step import Step
from quant.onnx_import.values import View

Padding = tuple[int, int, int, int]


def stride(step: Step) -> tuple[int, int]:
    """(vertical, horizontal) stride, each at least 1."""
    strides = [int(s) for s in step.attribute("strides", [1, 1])]
    if len(strides) != 2 or min(strides) < 1:
        step.refuse(f"strides {strides}", "two strides of at least 1")
    return strides[0], strides[1]


def no_dilation(step: Step) -> None:
    """Refuse dilations other than 1."""
    dilations = [int(d) for d in step.attribute("dilations", [1, 1])]
    if any(d != 1 for d in dilations):
        step.refuse(f"dilations {dilations}", "dilation 1")


def padding(step: Step, view: View, kernel: tuple[int, int], strides: tuple[int, int]) -> Padding:
    """(top, left, bottom, right) from `pads` or `auto_pad`, without the padding that is pending in `view`."""
    mode = step.attribute("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        pads = [int(p) for p in step.attribute("pads", [0, 0, 0, 0])]
        if len(pads) != 4 or min(pads) < 0:
            step.refuse(f"pads {pads}", "four pads of at least 0")
        return pads[0], pads[1], pads[2], pads[3]
    if mode == "VALID":
        return 0, 0, 0, 0
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        step.refuse(f"auto_pad {mode}", "NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    (top, bottom), (left, right) = (
        _same(size, k, s, mode) for size, k, s in zip(view.sizes[2:], kernel, strides, strict=True)
    )
    return top, left, bottom, right


def _same(size: int, kernel: int, step: int, mode: str) -> tuple[int, int]:
    total = max((-(-size // step) - 1) * step + kernel - size, 0)
    less = total // 2
    return (less, total - less) if mode == "SAME_UPPER" else (total - less, less)


def add(first: Padding, second: Padding) -> Padding:
    """Padding one after the other."""
    return first[0] + second[0], first[1] + second[1], first[2] + second[2], first[3] + second[3]


def output_size(
    step: Step, view: View, kernel: tuple[int, int], strides: tuple[int, int], pads: Padding
) -> tuple[int, int]:
    """(OH, OW) of a window over `view` (its pending padding included) with further padding `pads`; at least 1."""
    height = (view.sizes[2] + pads[0] + pads[2] - kernel[0]) // strides[0] + 1
    width = (view.sizes[3] + pads[1] + pads[3] - kernel[1]) // strides[1] + 1
    if height < 1 or width < 1:
        step.refuse(f"kernel {kernel} is larger than its padded image {view.sizes[2:]}", "kernels that fit")
    return height, width
