"""The arrays of a model as bytes of an ``.npz`` file: the same bytes for the same arrays, and safe to read from anyone."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid_ml_scheduler.core.errors import ModelError

Arrays = dict[str, NDArray[Any]]

MAX_FILE_BYTES = 32_000_000
MAX_TOTAL_BYTES = 128_000_000
"""Of all arrays together, uncompressed."""
MAX_ARRAYS = 256
MAX_DIMENSIONS = 4

DTYPES = {np.dtype(name).str: np.dtype(name) for name in ("<f8", "<f4", "<i8", "<i4", "<i2", "<u4", "<u2", "i1", "u1", "bool")}
"""Element types that a model may hold, little-endian."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# NumPy evaluates this header as a Python expression; one pattern for the one spelling that NumPy writes is safer.
_HEADER = re.compile(rb"\{'descr': '([<|][a-z][0-9])', 'fortran_order': False, 'shape': \(((?:[0-9]{1,12}, )*(?:[0-9]{1,12},?)?)\), \} *\n")
_PREFIX = b"\x93NUMPY\x01\x00"
_START = len(_PREFIX) + 2
_DIRECTORY_ENTRY = b"PK\x01\x02"
# Part of the format, so that equal arrays give equal bytes: the earliest date that a zip file knows, an ordinary file of Unix.
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_ENCRYPTED = 0x1


def arrays_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of names, element types, shapes and values, in hexadecimal; the order of the names does not count.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Of any fixed-size element type.
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name]).reshape(np.shape(arrays[name]))
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}\0{little.dtype.str}\0{little.shape}\0".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()


def encode_arrays(arrays: Mapping[str, NDArray[Any]], where: str) -> bytes:
    """Return the bytes of a compressed ``.npz`` file.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Element types of `DTYPES`, at most four dimensions.
    where : str
        Which model, for messages.

    Raises
    ------
    ModelError
        If `decode_arrays` would refuse them.
    """
    _check_amount(len(arrays), sum(array.nbytes for array in arrays.values()), where)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            array = arrays[name]
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            if not _NAME.fullmatch(name) or little.dtype.str not in DTYPES or little.ndim > MAX_DIMENSIONS:
                raise ModelError(f"{where}: array {name!r} of {little.dtype} with {little.ndim} dimensions cannot be stored; expected {_expected()}")
            entry = zipfile.ZipInfo(f"{name}.npy", _DATE)
            entry.create_system = _UNIX
            entry.external_attr = 0o644 << 16
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(little).reshape(little.shape), version=(1, 0), allow_pickle=False)
            archive.writestr(entry, member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    content = file.getvalue()
    if len(content) > MAX_FILE_BYTES:
        raise ModelError(f"{where}: the arrays take {len(content)} bytes compressed; expected at most {MAX_FILE_BYTES}")
    return content


def decode_arrays(content: bytes, where: str) -> Arrays:
    """Read arrays from the bytes of an ``.npz`` file; nothing in it is executed, and nothing is unpacked beyond the limits.

    Parameters
    ----------
    content : bytes
        What the file holds.
    where : str
        Name of the file, for messages.

    Returns
    -------
    dict of str to ndarray
        Writable, C-contiguous.

    Raises
    ------
    ModelError
        If it is no such file, damaged, too large, or holds something else than plain arrays of `DTYPES`.
    """
    if len(content) > MAX_FILE_BYTES:
        raise ModelError(f"{where}: larger than {MAX_FILE_BYTES} bytes; expected the arrays of a model")
    # The directory is read whole before its entries can be counted; random bytes hold this mark once in 4 GB.
    if content.count(_DIRECTORY_ENTRY) > 2 * MAX_ARRAYS:
        raise ModelError(f"{where}: holds more than {MAX_ARRAYS} files; expected at most as many arrays")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _check_amount(len(entries), sum(entry.file_size for entry in entries), where)
            names = [_name_of(entry, where) for entry in entries]
            if len(set(names)) < len(names):
                raise ModelError(f"{where}: an array stands there twice; expected each name once")
            # A member is read up to the size that its entry names, never further, and its checksum must be right.
            return {name: _decode_array(archive.read(entry), f"{where}, array {name!r}") for name, entry in zip(names, entries, strict=True)}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError, IndexError) as error:
        raise ModelError(f"{where}: damaged ({str(error)[:120] or type(error).__name__}); expected an npz file with the arrays of a model") from error


def _check_amount(n_arrays: int, n_bytes: int, where: str) -> None:
    if n_arrays > MAX_ARRAYS or n_bytes > MAX_TOTAL_BYTES:
        raise ModelError(
            f"{where}: {n_arrays} arrays of {n_bytes} bytes uncompressed; expected at most {MAX_ARRAYS} arrays and {MAX_TOTAL_BYTES} bytes"
        )


def _name_of(entry: zipfile.ZipInfo, where: str) -> str:
    name = entry.filename.removesuffix(".npy")
    if name == entry.filename or not _NAME.fullmatch(name):
        raise ModelError(f"{where}: holds a file {entry.filename[:80]!r}; expected arrays named like 'weights.npy'")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & _ENCRYPTED:
        raise ModelError(f"{where}: array {name!r} is encrypted or packed in an unusual way; expected plain or deflated")
    return name


def _decode_array(member: bytes, where: str) -> NDArray[Any]:
    length = int.from_bytes(member[len(_PREFIX) : _START], "little")
    header = _HEADER.fullmatch(member[_START : _START + length])
    if not member.startswith(_PREFIX) or header is None:
        raise ModelError(f"{where}: not a plain array as NumPy writes it; expected {_expected()}")
    dtype = DTYPES.get(header[1].decode())
    shape = tuple(int(number) for number in header[2].decode().replace(",", " ").split())
    data = member[_START + length :]
    if dtype is None or len(shape) > MAX_DIMENSIONS:
        raise ModelError(f"{where}: elements {header[1].decode()!r} in {len(shape)} dimensions; expected {_expected()}")
    if prod(shape) * dtype.itemsize != len(data):
        raise ModelError(f"{where}: {len(data)} bytes for shape {shape} of {dtype}; expected {prod(shape) * dtype.itemsize}")
    if dtype == np.dtype(bool) and data.translate(None, b"\0\1"):
        raise ModelError(f"{where}: a truth value is neither 0 nor 1; expected one of them")
    # A copy, because an array over these bytes could not be written, and compiled code would take it for another type.
    return np.frombuffer(data, dtype=dtype).reshape(shape).copy()


def _expected() -> str:
    return f"elements of {', '.join(str(dtype) for dtype in DTYPES.values())} in at most {MAX_DIMENSIONS} dimensions"
