# amaranth: UnusedElaboratable=no
"""The depths that the cycle model counts with are those of the components."""

from dataclasses import replace

import pytest

from compiler import pipeline as stages
from compiler.config import PRESETS, EngineConfig
from compiler.pipeline import InOrder, pipeline
from rtl.array import MacArray
from rtl.in_order_operands import InOrderOperands
from rtl.in_order_scratchpad import InOrderScratchpad
from rtl.operands import Operands
from rtl.requantizer import RequantizerLane
from rtl.scratchpad import Scratchpad

WITH_QUEUES = {name: config for name, config in PRESETS.items() if not config.in_order}
CONFIGS = WITH_QUEUES | {"packed": replace(PRESETS["large"], multiplier="packed18")}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_components_are_as_deep_as_the_pipeline(config: EngineConfig) -> None:
    depth = pipeline(config)
    assert Scratchpad.read_latency == stages.WORDS - stages.ADDRESS
    assert Operands.latency == stages.MULTIPLY - stages.WORDS
    array = MacArray(config)
    assert array.dot_latency == depth.sum - stages.MULTIPLY and array.latency == depth.result - stages.MULTIPLY
    lane = RequantizerLane(guard_bits=config.guard_bits)
    assert lane.latency == stages.REQUANTIZER
    assert depth.written == depth.entered + lane.latency


def test_components_are_as_deep_without_queues() -> None:
    config = PRESETS["nano"]
    assert InOrderScratchpad.read_latency == InOrder.WORD - InOrder.ADDRESS
    assert InOrderOperands.latency == InOrder.MULTIPLY - InOrder.WORD
    array = MacArray(config)
    assert (array.dot_latency, array.latency) == (InOrder.SUM - InOrder.MULTIPLY, InOrder.RESULT - InOrder.MULTIPLY)
    assert RequantizerLane(guard_bits=5, steady=True).latency == InOrder.WRITTEN - InOrder.RESULT


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_credits_cover_the_pipeline(config: EngineConfig) -> None:
    """A place is taken at the issue and free again a cycle after the entry left, two cycles after its push."""
    assert pipeline(config).result + 3 <= stages.RESULT_PLACES
