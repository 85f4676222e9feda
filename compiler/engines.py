"""The engines that can be built: presets, and presets made to fit one FPGA."""

from dataclasses import replace

from compiler.config import PRESETS, EngineConfig

#: 256 MAC on the 156 multipliers of an LFE5U-85F: packed, 8 requantizer lanes of two multipliers. Half the scratchpad
#: and half the weight rows, so that its 208 block RAMs hold memories and queues; windows of at most 3 x 3, so that its
#: wires hold the operands'.
LARGE_85F = replace(
    PRESETS["large"], name="large-85f", multiplier="packed18", requant_lanes=8, scratchpad_words=8192, weight_rows=1024,
    window_kernel=3,
)
#: 8 MAC on 4 of the 8 multipliers of an iCE40 UP5K; the requantizer takes two. Sizes up to 511 and 256 KB of memory, no
#: time-out, so that it fits with the link.
NANO_UP5K = replace(
    PRESETS["nano"], name="nano-up5k", multiplier="dual8", size_bits=9, address_bits=18, without_timeout=1
)
#: `small` with windows of at most 3 x 3, whose operands need fewer wires: an LFE5U-85F routes it.
SMALL_85F = replace(PRESETS["small"], name="small-85f", window_kernel=3)
FITTED = {one.name: one for one in (LARGE_85F, NANO_UP5K, SMALL_85F)}
ENGINES = PRESETS | FITTED


def engine(name: str) -> EngineConfig:
    """The engine called `name`; ValueError names all otherwise."""
    if name not in ENGINES:
        raise ValueError(f"CONFIG = {name!r} is not an engine; engines are {', '.join(ENGINES)}")
    return ENGINES[name]
