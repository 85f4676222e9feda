"""The state of an engine in NumPy, and what each command does to it: docs/engine.md, literally and without cycles."""

from collections.abc import Callable

import numpy as np

from compiler.config import WORD_BYTES, EngineConfig
from compiler.encode import Command
from compiler.encoding import Unit
from compiler.footprint import PACKED_PIXEL_BYTES, filled_rows, transfer_bytes, transfer_words
from compiler.legal import illegal_fields
from compiler.machine_compute import compute

Write = Callable[[], None]


class Machine:
    """Memories of one engine and its two external regions.

    image: bytes of the image region. data: uint8 (size,), the data region, changed in place. The memories on chip begin
    with random values of `seed`: a program that reads what nothing wrote gives other results for other seeds.
    """

    def __init__(self, config: EngineConfig, image: bytes, data: np.ndarray, seed: int = 0):
        rng = np.random.default_rng(seed)
        self.config, self.data = config, data
        self.image = np.frombuffer(image, np.uint8)
        self.scratchpad = rng.integers(-128, 128, (config.scratchpad_words, WORD_BYTES), np.int8)
        self.weights = rng.integers(-128, 128, (config.weight_rows, config.lanes, config.taps), np.int8)
        self.bias = rng.integers(-(2**20), 2**20, (config.parameter_rows, config.lanes))
        self.shift = rng.integers(0, 16, (config.parameter_rows, config.lanes)).astype(np.uint8)
        self.sums: np.ndarray | None = None  # what a partial COMPUTE left in the accumulators

    def read(self, command: Command) -> Write:
        """Reads everything that the command needs now; the function returned then writes its results.

        ValueError for an address outside its memory and for a field that the engine refuses.
        """
        for line in illegal_fields(command, self.config):
            raise ValueError(line)
        fields = command.fields
        if command.unit == Unit.LOAD:
            return self._load(fields)
        if command.unit == Unit.STORE:
            return self._store(fields)
        if command.unit == Unit.WEIGHTS:
            return self._parameters(fields) if fields["parameters"] else self._weights(fields)
        return compute(self, fields)

    def checked(self, words: np.ndarray) -> np.ndarray:
        """`words`; ValueError when one lies outside the scratchpad."""
        if words.size and not 0 <= words.min() <= words.max() < len(self.scratchpad):
            raise ValueError(f"scratchpad words {words.min()}..{words.max()} must be in 0..{len(self.scratchpad) - 1}")
        return words

    def _load(self, fields: dict[str, int]) -> Write:
        words = self.checked(transfer_words(fields))
        raw = _taken(self.data, transfer_bytes(fields), "data").view(np.int8)
        values = np.zeros((*words.shape, WORD_BYTES), np.int8)
        if fields["unpack"]:
            rows = raw.reshape(*words.shape[:2], -1, PACKED_PIXEL_BYTES)
            values[..., :PACKED_PIXEL_BYTES] = rows[:, :, : words.shape[2]]
        else:
            values[:] = raw.reshape(values.shape)
        return lambda: self.scratchpad.__setitem__(words, values)

    def _store(self, fields: dict[str, int]) -> Write:
        where = transfer_bytes(fields)
        _taken(self.data, where, "data")
        values = self.scratchpad[self.checked(transfer_words(fields))].view(np.uint8).reshape(where.shape)
        return lambda: self.data.__setitem__(where, values)

    def _transferred(self, fields: dict[str, int]) -> np.ndarray:
        where = fields["address"] + np.arange(fields["length"] * WORD_BYTES)
        return _taken(self.image, where, "image")

    def _weights(self, fields: dict[str, int]) -> Write:
        config, raw = self.config, self._transferred(fields)
        rows = filled_rows(fields, config)
        short = rows.size * config.weight_row_bytes - raw.size  # the last row may be half filled
        last = self.weights[rows[-1]].reshape(-1).view(np.uint8)
        values = np.concatenate([raw, last[last.size - short :]]).view(np.int8)
        return lambda: self.weights.__setitem__(rows, values.reshape(-1, config.lanes, config.taps))

    def _parameters(self, fields: dict[str, int]) -> Write:
        config = self.config
        rows = filled_rows(fields, config)
        raw = self._transferred(fields).reshape(-1, config.parameter_row_bytes)
        bias = np.ascontiguousarray(raw[:, : config.lanes * 4]).view("<i4")
        first = 8 if config.lanes == 2 else -(-config.lanes * 4 // WORD_BYTES) * WORD_BYTES
        packed = raw[:, first : first + config.lanes // 2]
        shift = np.stack([packed & 15, packed >> 4], axis=2).reshape(-1, config.lanes)

        def write() -> None:
            self.bias[rows] = bias
            self.shift[rows] = shift

        return write


def _taken(memory: np.ndarray, where: np.ndarray, name: str) -> np.ndarray:
    if not 0 <= where.min() <= where.max() < memory.size:
        raise ValueError(f"{name} region bytes {where.min()}..{where.max()} must be in 0..{memory.size - 1}")
    return memory[where]
