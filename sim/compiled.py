"""Jobs of compiled networks: where inputs go, what the data region must hold afterwards, what every COMPUTE writes."""

import numpy as np

from compiler.encode import decode
from compiler.encoding import Unit
from compiler.program import CompiledNetwork
from sim.expected import expected_of
from sim.job import Manners
from sim.layout import packed_input_bytes, tensor_bytes
from sim.memory_image import job_of, place
from sim.session import Prepared, Stored
from sim.trace import ComputeWrites


def compute_writes(compiled: CompiledNetwork) -> list[ComputeWrites]:
    """What each COMPUTE command that writes puts where, in program order."""
    network, lanes = compiled.network, compiled.config.lanes
    computing = (one.fields for one in decode(compiled.program) if one.unit == Unit.COMPUTE)
    commands = [fields for fields in computing if not fields["partial"]]
    return [
        ComputeWrites(
            layer=traced.layer, channel=traced.first_group * lanes, row=traced.first_row,
            column=traced.first_column, groups=traced.groups,
            rows=fields["output_rows"], width=fields["output_width"],
            tensor_width=network.tensors[network.layers[traced.layer].output].width,
            first_group=fields["first_group"], base=fields["output_base"], block_stride=fields["output_block_stride"],
            pitch=fields["output_pitch"], extent=fields["output_extent"], row_offset=fields["output_row_offset"],
        )
        for fields, traced in zip(commands, compiled.traced, strict=True)
    ]


def prepare_compiled(compiled: CompiledNetwork, image: np.ndarray, manners: Manners, seed: int) -> Prepared:
    """The compiled program on this image, int8 (C, H, W), in a memory drawn from `seed`."""
    network = compiled.network
    placement = place(compiled.image, compiled.data_size, seed, compiled.config.address_bits)
    expected = expected_of(network, image)
    makers = {layer.output: layer.name for layer in network.layers}
    source = compiled.placements[network.input]
    if source.packed:
        given = packed_input_bytes(image, network.tensors[network.input].zero_point)
    else:
        given = tensor_bytes(expected.tensors[network.input])
    placement.data_view(placement.memory)[source.offset : source.offset + given.size] = given
    final = placement.memory.copy()
    stored = []
    for name, where in compiled.placements.items():
        if name in makers:
            values = tensor_bytes(expected.tensors[name])
            placement.data_view(final)[where.offset : where.offset + values.size] = values
            stored.append(Stored(makers[name], where.offset, expected.tensors[name].shape))
    job = job_of(placement, layers=len(network.layers), manners=manners, program_offset=compiled.program_offset)
    return Prepared(network, image, placement, job, final, expected, compute_writes(compiled), stored)
