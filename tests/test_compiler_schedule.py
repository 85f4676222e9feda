"""What the compiler promises about traffic and overlap: nothing is moved twice, transfers run ahead, same bytes."""

import dataclasses
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from compiler.config import PRESETS
from compiler.encode import Command, decode
from compiler.encoding import Unit
from compiler.footprint import transfer_bytes
from compiler.program import CompiledNetwork, compile_network
from sim.layers import Builder, Shape, random_network
from tests.compiler_networks import NONE, ONE, edge_network

SAME = (1, 1, 1, 1)


def chain(**how: bool | int) -> CompiledNetwork:
    network, _ = random_network("chain", 5, 7)
    return compile_network(network, PRESETS["large"], **how)


def commands_of(compiled: CompiledNetwork, unit: Unit) -> list[Command]:
    return [command for command in decode(compiled.program) if command.unit == unit]


def moved(commands: list[Command]) -> int:
    """External bytes of LOAD or STORE commands."""
    return sum(transfer_bytes(command.fields).size for command in commands)


def test_a_network_that_fits_moves_only_its_input_and_output() -> None:
    compiled = chain()
    network = compiled.network
    assert set(compiled.placements) == {network.input, *network.outputs} and len(network.layers) == 7
    assert moved(commands_of(compiled, Unit.LOAD)) == compiled.placements[network.input].size
    assert moved(commands_of(compiled, Unit.STORE)) == sum(compiled.placements[n].size for n in network.outputs)


def test_keep_all_stores_every_tensor_once() -> None:
    network, _ = random_network("chain", 5, 7)
    compiled = compile_network(network, PRESETS["large"], keep_all=True)
    assert set(compiled.placements) == set(network.tensors)
    stored = sum(place.size for name, place in compiled.placements.items() if name != network.input)
    assert moved(commands_of(compiled, Unit.STORE)) == stored


def test_weights_that_fit_are_loaded_once_for_all_tiles() -> None:
    network, _ = edge_network("tall", 7)
    compiled = compile_network(network, dataclasses.replace(PRESETS["small"], scratchpad_words=64))
    assert len(commands_of(compiled, Unit.COMPUTE)) > 20
    assert len(commands_of(compiled, Unit.WEIGHTS)) <= 4  # rows and parameters, of full and of empty lane groups


def test_streamed_input_is_loaded_once_and_output_stored_once() -> None:
    """Rows shared by neighbouring tiles stay in the ring."""
    network, _ = edge_network("tall_depthwise", 7)
    compiled = compile_network(network, dataclasses.replace(PRESETS["small"], scratchpad_words=64))
    assert len(commands_of(compiled, Unit.LOAD)) > 20
    assert moved(commands_of(compiled, Unit.LOAD)) == compiled.placements["x"].size
    assert moved(commands_of(compiled, Unit.STORE)) == compiled.placements["t0"].size


def test_loads_run_ahead_of_computing_and_results_behind() -> None:
    """With room for two tiles, no LOAD waits for what needs the LOAD before it, no COMPUTE for the STORE before it."""
    network, _ = edge_network("tall_depthwise", 7)
    compiled = compile_network(network, dataclasses.replace(PRESETS["small"], scratchpad_words=256))
    computes = commands_of(compiled, Unit.COMPUTE)
    done = dict.fromkeys(Unit, 0)
    for command in decode(compiled.program):
        fields = command.fields
        if command.unit == Unit.LOAD and fields["wait_compute"]:
            assert computes[fields["wait_compute"] - 1].fields["wait_load"] < done[Unit.LOAD]
        if command.unit == Unit.COMPUTE and fields["wait_store"]:
            assert fields["wait_store"] < done[Unit.STORE]
        done[command.unit] += 1
    assert done[Unit.LOAD] > 6 and any(command.fields["wait_store"] for command in computes)


def test_weights_of_the_next_layers_are_prefetched() -> None:
    """In program order the weights of a layer stand before the computing of the layer before it."""
    compiled = chain(fuse=False, tile_rows=16)
    order = [(command.unit, command.fields.get("layer")) for command in decode(compiled.program)]
    needed = {}
    for command in commands_of(compiled, Unit.COMPUTE):
        needed.setdefault(command.fields["layer"], command.fields["wait_weights"])
    for layer in range(1, 7):
        first_before = order.index((Unit.COMPUTE, layer - 1))
        assert sum(unit == Unit.WEIGHTS for unit, _ in order[:first_before]) >= min(needed[layer], 2)
    ahead = [sum(u == Unit.WEIGHTS for u, _ in order[: order.index((Unit.COMPUTE, k - 1))]) >= needed[k]
             for k in range(1, 7)]
    assert all(ahead)


def test_rows_of_a_pointwise_layer_are_joined() -> None:
    """An odd width costs half a step per tile, not per row."""
    builder = Builder(np.random.default_rng(0), 7, 32, 7, 7)
    builder.add(Shape(kernel=(3, 3), stride=ONE, padding=SAME, channels=32))
    builder.add(Shape(kernel=ONE, stride=ONE, padding=NONE, channels=32))
    compiled = compile_network(builder.network("joined"), PRESETS["large"], fuse=False)
    widths = {c.fields["output_width"] for c in commands_of(compiled, Unit.COMPUTE) if c.fields["layer"] == 1}
    assert widths == {49}


def digest() -> str:
    """SHA-256 over the images of some networks; also run in other processes."""
    total = hashlib.sha256()
    for name, config in PRESETS.items():
        for kind in ("chain", "residual", "stem"):
            network, _ = random_network(kind, 3, config.guard_bits)
            total.update(compile_network(network, dataclasses.replace(config, scratchpad_words=512)).image)
        assert name
    return total.hexdigest()


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_same_network_gives_the_same_bytes(hash_seed: str) -> None:
    code = "from tests.test_compiler_schedule import digest; print(digest())"
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == digest()
