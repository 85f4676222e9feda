"""The quantized network file: one versioned .npz with a JSON header and a digest (docs/network-file.md)."""

import hashlib
import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from golden.errors import WesnpuError
from golden.files import UNFINISHED
from golden.network import Network
from golden.record import network_from_record, network_to_record

FORMAT = "wesnpu-network"
VERSION = 2
TIMESTAMP = (1980, 1, 1, 0, 0, 0)
HEADER, DIGEST = "header.npy", "sha256.npy"
ENTRY_BYTES, END_BYTES = 30 + 46, 22  # of the archive besides data and names: an entry with its line in the directory


def _array_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _text_array(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def _digest(entries: dict[str, bytes]) -> str:
    """SHA-256 over name, length and bytes of every entry but the digest itself, in order of name."""
    total = hashlib.sha256()
    for name in sorted(set(entries) - {DIGEST}):
        total.update(f"{name}\0{len(entries[name])}\0".encode())
        total.update(entries[name])
    return total.hexdigest()


def needed_version(network: Network) -> int:
    """The first format version that can hold the network: 2 where a layer has a block_shift (Eq. 8), else 1."""
    return 2 if any(layer.block_shift is not None for layer in network.layers) else 1


def encode_network(network: Network) -> bytes:
    """The bytes of the network's file; the same network always gives the same bytes."""
    record, arrays = network_to_record(network)
    header = {"format": FORMAT, "version": needed_version(network), "network": record}
    try:
        text = json.dumps(header, sort_keys=True, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError) as error:
        raise WesnpuError(f"network {network.name}: provenance must hold JSON values only, in UTF-8: {error}") from None
    entries = {HEADER: _array_bytes(_text_array(text))}
    entries |= {f"{name}.npy": _array_bytes(array) for name, array in arrays.items()}
    entries[DIGEST] = _array_bytes(_text_array(_digest(entries)))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name, TIMESTAMP)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def save_network(network: Network, path: str | os.PathLike[str]) -> None:
    """Write the network to `path`: into a temporary file beside it, which then replaces it.

    WesnpuError when it cannot be written (nothing is left behind) or holds provenance that is not JSON.
    """
    path, data = Path(path), encode_network(network)
    if path.exists() and not path.is_file():
        raise WesnpuError(f"{path}: cannot be written: it is a folder or a device")
    temporary = path.with_name(f"{UNFINISHED}{path.name}.{os.getpid()}")
    try:
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WesnpuError(f"{path}: cannot be written: {error.strerror or error}") from None


def _read_entries(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            if len({info.filename for info in infos}) != len(infos):
                raise WesnpuError(f"{path}: damaged: it holds an entry twice")
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                raise WesnpuError(f"{path}: not a wesnpu network file: it is a compressed archive")
            return {info.filename: archive.read(info) for info in infos}
    except OSError as error:
        raise WesnpuError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, MemoryError) as error:
        raise WesnpuError(f"{path}: not a wesnpu network file, or truncated or damaged: {error}") from None


def _read_array(data: bytes) -> np.ndarray:
    stream = io.BytesIO(data)
    array = np.lib.format.read_array(stream, allow_pickle=False)
    if stream.read(1):
        raise ValueError("an array is followed by other bytes")
    return array


def _read_header(path: Path, entries: dict[str, bytes]) -> dict[str, Any]:
    if HEADER not in entries:
        raise WesnpuError(f"{path}: not a wesnpu network file: it has no {HEADER}")
    try:
        header = json.loads(_read_array(entries[HEADER]).tobytes().decode())
    except (ValueError, RecursionError, MemoryError) as error:
        raise WesnpuError(f"{path}: damaged: the header is not readable: {error}") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise WesnpuError(f"{path}: not a wesnpu network file: its header does not say format {FORMAT!r}")
    version = header.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise WesnpuError(f"{path}: damaged: version is {version!r}: must be an integer in 1..{VERSION}")
    if version > VERSION:
        raise WesnpuError(f"{path}: has format version {version}, made by a newer wesnpu: this one reads 1..{VERSION}")
    return header


def _check_digest(path: Path, entries: dict[str, bytes]) -> None:
    if DIGEST not in entries:
        raise WesnpuError(f"{path}: damaged: it has no {DIGEST}")
    if entries[DIGEST] != _array_bytes(_text_array(_digest(entries))):
        raise WesnpuError(f"{path}: damaged or changed: its content does not match its SHA-256")


def _check_size(path: Path, entries: dict[str, bytes]) -> None:
    """WesnpuError unless the file is as long as its entries, their directory and its end make it."""
    expected = sum(len(data) + ENTRY_BYTES + 2 * len(name.encode()) for name, data in entries.items()) + END_BYTES
    if (size := path.stat().st_size) != expected:
        raise WesnpuError(f"{path}: damaged: it has {size} bytes, its entries make {expected}")


def _in_words(error: Exception) -> str:
    """What is wrong with the values of a header, from the error met in using them."""
    if isinstance(error, KeyError):
        return f"field {error} is missing"
    if found := re.search(r"unexpected keyword argument ('\w+')", str(error)):
        return f"field {found[1]} is unknown"
    if found := re.search(r"missing \d+ required .*?(: .*)", str(error)):
        return f"fields are missing{found[1]}"
    return str(error) if isinstance(error, ValueError) else "a value of the header has a wrong type"


def load_network(path: str | os.PathLike[str]) -> Network:
    """Read and validate a network; WesnpuError for a missing, foreign, truncated, changed or newer file."""
    path = Path(path)
    entries = _read_entries(path)
    header = _read_header(path, entries)
    _check_digest(path, entries)
    _check_size(path, entries)
    try:
        arrays = {name[:-4]: _read_array(data) for name, data in entries.items() if name not in (HEADER, DIGEST)}
        network = network_from_record(header["network"], arrays)
        if needed_version(network) > header["version"]:
            raise WesnpuError(f"version is {header['version']}: must be {needed_version(network)} for a block_shift")
        return network
    except WesnpuError as error:
        raise WesnpuError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, MemoryError) as error:
        raise WesnpuError(f"{path}: not valid: {_in_words(error)}") from None
