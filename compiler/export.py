"""A compiled network as files for firmware: the image region's bytes and a C header that describes them."""

import re

from compiler.layout import Placement
from compiler.program import CompiledNetwork
from compiler.registers import identification
from golden.network import Tensor

#: The registers that tell one engine from another, in the order of `struct wesnpu_program.engine`.
ENGINE_REGISTERS = ("ARRAY", "UNITS", "SCRATCHPAD_WORDS", "WEIGHT_ROWS", "PARAMETER_ROWS", "QUEUE_UNITS", "LIMITS")


def engine_words(compiled: CompiledNetwork) -> list[int]:
    """What ENGINE_REGISTERS hold in the engine that the network was compiled for."""
    words = identification(compiled.config)
    return [words[name] for name in ENGINE_REGISTERS]


def c_identifier(name: str) -> str:
    """`name` as a C identifier: other characters become underscores, a leading digit gets one before it."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"_{plain}" if not plain or plain[0].isdigit() else plain


def c_program(compiled: CompiledNetwork) -> str:
    """A header with `static const struct wesnpu_program NAME` (driver/wesnpu.h) of the compiled network.

    Its outputs are those of the network, in their order; the image itself is `compiled.image`, a file of its own.
    """
    network, name = compiled.network, c_identifier(compiled.network.name)
    words = ", ".join(f"{word:#x}u" for word in engine_words(compiled))
    outputs = [_tensor(network.tensors[one], compiled.placements[one]) for one in network.outputs]
    guard = f"{name.upper()}_H"
    lines = [
        f"/* {_comment(network.name)} for the engine {_comment(compiled.config.name)}; made by wesnpu compile */",
        f"#ifndef {guard}", f"#define {guard}", "", '#include "wesnpu.h"', "",
        f"static const struct wesnpu_tensor {name}_outputs[] = {{",
        *(f"    {text}, /* {_comment(one)} */" for text, one in zip(outputs, network.outputs, strict=True)),
        "};", "",
        f"static const struct wesnpu_program {name} = {{",
        f"    {{{words}}},",
        f"    {len(compiled.image)}u, {compiled.program_offset}u, {max(compiled.data_size, 64)}u,",
        f"    {_tensor(network.tensors[network.input], compiled.placements[network.input])},",
        f"    {len(outputs)}u, {name}_outputs",
        "};", "", "#endif", "",
    ]
    return "\n".join(lines)


def _tensor(tensor: Tensor, where: Placement) -> str:
    sizes = f"{where.offset}u, {tensor.channels}u, {tensor.height}u, {tensor.width}u, {int(where.packed)}u"
    return f"{{{sizes}, {tensor.zero_point}}}"


def _comment(text: str) -> str:
    """`text` where it cannot end the comment or the line."""
    return re.sub(r"[^\x20-\x7e]|\*/", " ", text)
