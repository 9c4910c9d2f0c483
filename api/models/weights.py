"""Whether a file is safetensors, told by its header. Without torch: nothing of the tensors themselves is read.

The format: 8 bytes with the length of the header, little-endian; the header, a JSON object of `{dtype, shape, data_offsets}` by
tensor name, with texts under `__metadata__`; then the tensors' bytes, one behind the other without gaps.
"""

import json
import math
from pathlib import Path
from typing import Any

from records.errors import InvalidError

LARGEST_HEADER = 4 << 20
"""In bytes; the header of the largest encoder in the catalogue has 30 thousand."""
_MOST_DIMENSIONS = 16
_MOST_VALUES = 1 << 40
_DTYPE_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""How files of `torch.save` begin: a zip archive with a pickle in it, formerly a bare pickle."""


class WeightsError(InvalidError):
    """The file is not safetensors."""

    code = "not_safetensors"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, param="file")


def check_weights(path: Path) -> dict[str, tuple[int, ...]]:
    """Check that a file is safetensors from its first to its last byte.

    Returns:
        The shapes of its tensors, by name.

    Raises:
        WeightsError: it is not; says why.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        if head.startswith(_PICKLES):
            raise WeightsError(
                "the file was written by torch.save and holds a pickle, which could run code and is never read; convert it where "
                'you trust it: safetensors.torch.save_file(torch.load("encoder.pt", weights_only=True), "encoder.safetensors")'
            )
        length = int.from_bytes(head, "little")
        if len(head) < 8 or length + 8 > size:
            raise WeightsError("the file is not safetensors, or its end is missing: it is shorter than its header says")
        if length > LARGEST_HEADER:
            raise WeightsError(f"the file's header has {length:,} bytes, and this server reads {LARGEST_HEADER:,} at most")
        header = _parsed(file.read(length))
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise WeightsError("`__metadata__` in the file's header is no object of texts")
    if not header:
        raise WeightsError("the file has no tensors in it")
    spans = {name: _span(name, entry) for name, entry in header.items()}
    _check_order(spans, size - 8 - length)
    return {name: tuple(entry["shape"]) for name, entry in header.items()}


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        told = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise WeightsError(f"the file is not safetensors: its header is not the JSON that it has to be ({told:.200})") from error
    if not isinstance(header, dict) or not text.startswith(b"{"):
        raise WeightsError("the file is not safetensors: its header is no JSON object")
    return header


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _span(name: str, entry: Any) -> tuple[int, int]:
    """Where a tensor's bytes begin and end."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise WeightsError(f"the tensor {name!r:.100} is not described by `dtype`, `shape` and `data_offsets`")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPE_BYTES:
        raise WeightsError(f"the tensor {name!r:.100} has the dtype {dtype!r:.40}; this server knows {', '.join(_DTYPE_BYTES)}")
    if not _are_sizes(shape) or len(shape) > _MOST_DIMENSIONS or math.prod(shape) > _MOST_VALUES:
        raise WeightsError(f"the tensor {name!r:.100} has an impossible shape")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * _DTYPE_BYTES[dtype]:
        raise WeightsError(f"the tensor {name!r:.100} has offsets that do not fit its shape")
    return offsets[0], offsets[1]


def _are_sizes(found: Any) -> bool:
    return isinstance(found, list) and all(type(size) is int and 0 <= size <= _MOST_VALUES * 8 for size in found)


def _check_order(spans: dict[str, tuple[int, int]], size: int) -> None:
    end = 0
    for name, (begins, ends) in sorted(spans.items(), key=lambda item: item[1]):
        if begins != end:
            raise WeightsError(f"the tensor {name!r:.100} does not begin where the one before it ends")
        end = ends
    if end != size:
        raise WeightsError(f"the tensors take {end:,} bytes, but the file has {size:,} behind its header; its end may be missing")
