"""Tensors out of a PyTorch state dictionary, without PyTorch and without running anything that is in the file.

Reads the format of ``torch.save`` before version 1.6: five pickles (magic number, protocol, system, dictionary, keys),
then per key a 64-bit count and the little-endian values. Source: ``torch/serialization.py``, ``_legacy_save``.
"""

import io
import pickle
from collections import OrderedDict
from typing import BinaryIO, NamedTuple

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class Storage(NamedTuple):
    """A run of `size` values that tensors look into."""

    dtype: np.dtype
    key: str
    size: int


class View(NamedTuple):
    """A tensor: its storage, and where in it the elements lie, counted in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, values: np.ndarray) -> np.ndarray:
        """A copy of the tensor out of its storage's values; ValueError where it would reach outside."""
        steps = [(size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)]
        if self.offset < 0 or min(steps, default=0) < 0 or self.offset + sum(steps) >= len(values):
            raise ValueError(f"tensor {self.shape} with strides {self.strides} lies outside its {len(values)} values")
        bytes_apart = [stride * values.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, bytes_apart).copy()


class StateUnpickler(pickle.Unpickler):
    """Knows ordered dictionaries, tensors and their storages; every other name is refused."""

    def find_class(self, module: str, name: str) -> object:
        """The harmless stand-in of one global name; UnpicklingError for any other."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: View(storage, offset, shape, strides)
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"a state dictionary has no use for {module}.{name}")

    def persistent_load(self, pid: tuple) -> Storage:
        """The storage that ('storage', dtype, key, device, count, view) names."""
        kind, dtype, key, _, size, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"unknown persistent object {pid}")
        return Storage(dtype, key, size)


def read_state(data: bytes) -> dict[str, np.ndarray]:
    """Every tensor of a state dictionary by name, float32 or int64.

    Raises:
        ValueError: not such a file, truncated, or holding anything but tensors.
    """
    file = io.BytesIO(data)
    try:
        head = [StateUnpickler(file).load() for _ in range(3)]
        if head[:2] != [MAGIC, PROTOCOL]:
            raise ValueError("no PyTorch file of the format before version 1.6")
        views = StateUnpickler(file).load()
        order = StateUnpickler(file).load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise ValueError(f"no readable PyTorch state dictionary: {error}") from error
    if not all(isinstance(view, View) for view in views.values()):
        raise ValueError("the PyTorch file holds more than a dictionary of tensors")
    storages = {view.storage.key: view.storage for view in views.values()}
    values = {key: read_values(file, storages[key]) for key in order}
    return {name: view.of(values[view.storage.key]) for name, view in views.items()}


def read_values(file: BinaryIO, storage: Storage) -> np.ndarray:
    """The values of one storage, at the file's position; ValueError if they are not all there."""
    count = int.from_bytes(file.read(8), "little")
    data = file.read(storage.size * storage.dtype.itemsize)
    if count != storage.size or len(data) != storage.size * storage.dtype.itemsize:
        raise ValueError(f"storage {storage.key} has {count} values or is cut off, expected {storage.size}")
    return np.frombuffer(data, dtype=storage.dtype)
