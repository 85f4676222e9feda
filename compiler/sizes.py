"""Engines may use fewer bits of the sizes in commands than there are (EngineConfig.size_bits, address_bits)."""

from compiler.config import EngineConfig
from compiler.encoding import FIELDS, Unit, used_range
from compiler.item import Item
from golden.errors import WesnpuError
from golden.network import Network


def check_sizes(network: Network, config: EngineConfig, items: list[Item]) -> None:
    """WesnpuError when a command needs more than `size_bits` of the engine; it names the layer and the field."""
    if config.size_bits == 16:
        return
    for item in sorted(items, key=lambda item: item.unit != Unit.COMPUTE):
        of = f"layer {network.layers[item.fields['layer']].name}" if item.unit == Unit.COMPUTE else network.name
        for field in FIELDS[item.unit]:
            low, high = used_range(field, size_bits=config.size_bits, address_bits=config.address_bits)
            value = item.fields.get(field.name, 0)
            if not low <= value <= high:
                raise WesnpuError(
                    f"{of}: {item.unit.name} {field.name} = {value} must be in {low}..{high}: the engine {config.name} "
                    f"has size_bits = {config.size_bits} and address_bits = {config.address_bits}"
                )
