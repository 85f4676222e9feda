# amaranth: UnusedElaboratable=no
"""The depths that the cycle model counts with are those of the components."""

from dataclasses import replace

import pytest

from compiler import pipeline as stages
from compiler.config import PRESETS, EngineConfig
from compiler.pipeline import pipeline
from rtl.array import MacArray
from rtl.operands import Operands
from rtl.requantizer import RequantizerLane
from rtl.scratchpad import Scratchpad

CONFIGS = PRESETS | {"packed": replace(PRESETS["large"], multiplier="packed18")}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_components_are_as_deep_as_the_pipeline(config: EngineConfig) -> None:
    depth = pipeline(config)
    assert Scratchpad.read_latency == stages.WORDS - stages.ADDRESS
    assert Operands.latency == stages.MULTIPLY - stages.WORDS
    array = MacArray(config)
    assert array.dot_latency == depth.sum - stages.MULTIPLY and array.latency == depth.result - stages.MULTIPLY
    lane = RequantizerLane(guard_bits=config.guard_bits)
    assert lane.latency == stages.REQUANTIZER
    assert depth.written == depth.result + stages.ENTRY + lane.latency


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_credits_cover_the_pipeline(config: EngineConfig) -> None:
    """A place is taken at the issue and free again a cycle after the entry left, two cycles after its push."""
    assert pipeline(config).result + 3 <= stages.RESULT_PLACES
