"""AveragePool, GlobalAveragePool, and ReduceMean over the image."""

from quant.float_graph.graph import Pool
from quant.onnx_import import windows
from quant.onnx_import.step import Step
from quant.onnx_import.values import View


def average_pool(step: Step) -> View:
    """Average pooling whose divisor is the whole kernel everywhere: no padding or count_include_pad = 1."""
    view = step.image()
    windows.no_dilation(step)
    stated, stride = [int(k) for k in step.attribute("kernel_shape", ())], windows.stride(step)
    if len(stated) != 2 or min(stated) < 1:
        step.refuse(f"kernel_shape {stated}", "two sizes of at least 1")
    kernel = (stated[0], stated[1])
    pads = windows.padding(step, view, kernel, stride)
    if any(pads) and not step.attribute("count_include_pad", 0):
        step.refuse(f"count_include_pad 0 with padding {pads}", "count_include_pad 1, or no padding")
    size = windows.output_size(step, view, kernel, stride, pads)
    _no_ceiling(step, view, kernel, stride, pads)
    view = _small_pads(step, view, kernel, pads)
    pads = windows.add(view.pad, pads)
    node = Pool(step.name, view.tensor, step.output, kernel, stride, pads)
    return step.builder.emit(node, view.sizes[0], (view.sizes[1], *size))


def _no_ceiling(step: Step, view: View, kernel: tuple[int, ...], stride: tuple[int, int], pads: tuple) -> None:
    if not step.attribute("ceil_mode", 0):
        return
    spans = (view.sizes[2] + pads[0] + pads[2] - kernel[0], view.sizes[3] + pads[1] + pads[3] - kernel[1])
    if any(span % s for span, s in zip(spans, stride, strict=True)):
        step.refuse("ceil_mode 1 with windows that reach over the edge", "ceil_mode 0")


def global_average_pool(step: Step) -> View:
    """The mean of each channel's image."""
    return _mean(step, step.image(), "HW")


def reduce_mean(step: Step) -> View:
    """Mean over H, W or both, whatever the layout; keepdims 0 or 1; axes as attribute or constant input."""
    view = step.view()
    rank = len(view.dims)
    axes = step.integers(1, "axes")
    if not axes:
        if step.attribute("noop_with_empty_axes", 0):
            return view
        axes = list(range(rank))
    dims = {step.axis(a, rank) for a in axes}
    reduced = [a for d in sorted(dims) for a in view.dims[d]]
    if set(reduced) - set("HW"):
        step.refuse(f"axes {axes} reduce {''.join(reduced)} of (N, C, H, W)", "axes that reduce H and W only")
    pooled = _mean(step, view, reduced) if reduced else view
    keep = step.attribute("keepdims", 1)
    kept = [() if i in dims else d for i, d in enumerate(view.dims) if keep or i not in dims]
    return View(pooled.tensor, pooled.sizes, tuple(kept), pooled.pad, pooled.exclusive)


def _mean(step: Step, view: View, axes: list[str] | str) -> View:
    n, c, h, w = view.sizes
    kernel = (h if "H" in axes else 1, w if "W" in axes else 1)
    view = _small_pads(step, view, kernel, (0, 0, 0, 0))
    node = Pool(step.name, view.tensor, step.output, kernel, (1, 1), view.pad)
    return step.builder.emit(node, n, (c, h // kernel[0], w // kernel[1]))


def _small_pads(step: Step, view: View, kernel: tuple[int, int], pads: windows.Padding) -> View:
    """The view, its pending padding carried out if the sum is not below the kernel, which onnxruntime would refuse."""
    small = all(pad < size for pad, size in zip(windows.add(view.pad, pads), kernel * 2, strict=True))
    return view if small else step.builder.settle(view)
