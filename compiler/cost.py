"""What a section costs at least: array cycles against the traffic of the memory, for choosing between sections.

compiler/cycles.py tells the cycles of a finished program; this bound is for the many programs that are never written.
"""

from collections.abc import Iterator

from compiler.config import WORD_BYTES, EngineConfig
from compiler.cycle_rows import row_cycles
from compiler.encoding import Mode
from compiler.layout import blocks_of
from compiler.mapping import Mapping
from compiler.pipeline import pipeline
from compiler.section import Section, Step
from compiler.split import SplitPlan
from compiler.tiling import LayerPlan
from golden.network import Network

EXPOSED = 8  # of so many transferred words one costs a cycle of its own: bank conflicts, first and last tiles
START = 7  # cycles from the last result of a tile to the first micro-operation of one that reads it


def cost(section: Section, network: Network, config: EngineConfig, external: frozenset[str]) -> float:
    """Cycles: the largest of array, reads and writes, and a share of the traffic that nothing hides.

    external: tensors that are stored.
    """
    word = WORD_BYTES / config.bus_bytes
    array = (1 + section.waits) * (pipeline(config).written + START)  # the first tile waits for the section before
    array += sum(_tile_cycles(section.plans[step.layer], step, config) for step in section.steps)
    reads = sum(_reads(plan, section, network, config) for plan in section.plans) * word
    stored = {plan.output.tensor for plan in section.plans} & external
    writes = sum(_tensor_words(network, name) for name in stored) * word
    return max(array, reads, writes) + (reads + writes) / EXPOSED


def split_cost(plan: SplitPlan, network: Network, config: EngineConfig) -> float:
    """Cycles, counted likewise, of a layer cut into tiles or pieces."""
    layer = plan.mapping.layer
    output = network.tensors[layer.output]
    array = layer.weight.size * output.height * output.width / config.macs_per_cycle
    moved = (plan.loaded_words + _tensor_words(network, layer.output)) * WORD_BYTES / config.bus_bytes
    return max(array, moved) + moved / EXPOSED


def evicted(victims: frozenset[str], network: Network, config: EngineConfig) -> float:
    """Cycles, counted likewise, of storing tensors that lose their place in the scratchpad."""
    words = sum(_tensor_words(network, name) for name in victims)
    return words * WORD_BYTES / config.bus_bytes / EXPOSED


def _tile_cycles(plan: LayerPlan, step: Step, config: EngineConfig) -> int:
    mapping, width = plan.mapping, plan.output.region.width
    regions = [operand.region for operand in (plan.input, plan.output, plan.residual) if operand is not None]
    joined = mapping.pointwise and all(region.pitch == region.width == width for region in regions)
    rows, width = (1, step.rows * width) if joined else (step.rows, width)
    return sum(_run_cycles(mapping, run, rows, width, config) for run in _runs(mapping))


def _runs(mapping: Mapping) -> Iterator[tuple[bool, int]]:
    """(with input, lane groups) of the commands of a tile."""
    return ((live > 0, groups) for _, groups, live in mapping.runs())


def _run_cycles(mapping: Mapping, run: tuple[bool, int], rows: int, width: int, config: EngineConfig) -> int:
    live, groups = run
    kernel = mapping.layer.kernel if live else (1, 1)
    fields = {
        "mode": mapping.mode if live else Mode.DENSE,
        "stride_x": mapping.stride[1] if live else 1,
        "first_column": -mapping.layer.padding[1],
        "grid": mapping.grid,
        "passes": mapping.passes,
        "vectors": mapping.vectors if live else 1,
        "kernel_height": kernel[0],
        "kernel_width": kernel[1],
        "output_width": width,
        "output_rows": rows,
        "groups": groups,
    }
    cycles = row_cycles(fields, config)
    return cycles.count * cycles.interval


def _reads(plan: LayerPlan, section: Section, network: Network, config: EngineConfig) -> float:
    """Words loaded for a layer."""
    operands = [operand for operand in (plan.input, plan.residual) if operand is not None and operand.external]
    rows = _weight_rows(plan.mapping)
    if rows > config.weight_rows:
        rows *= sum(step.layer == plan.index - section.plans[0].index for step in section.steps)
    words = rows * config.weight_row_bytes / WORD_BYTES
    return words + sum(_tensor_words(network, operand.tensor) for operand in operands)


def _weight_rows(mapping: Mapping) -> int:
    """Rows of the weight memory that all lane groups take."""
    each = 0 if mapping.hold_weights else mapping.group_rows
    return sum(max(groups * each, 1) if live else 1 for live, groups in _runs(mapping))


def _tensor_words(network: Network, name: str) -> int:
    tensor = network.tensors[name]
    words = tensor.height * tensor.width
    if name == network.input and tensor.channels <= 4:
        return words // 4
    return words * blocks_of(tensor.channels)
