"""What is computed on, set up for it, and told of it."""

import contextlib
import os
import resource
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch

from ssl_core.errors import UserError

_PACKAGES = ("torch", "torchvision", "numpy", "pillow", "pyarrow", "safetensors")


def device_of(wanted: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device that was asked for; a GPU if there is one and anything will do.

    Raises:
        UserError: a GPU was asked for, and there is none.
    """
    cuda = torch.cuda.is_available()
    if wanted == "cuda" and not cuda:
        raise UserError("no_gpu", "`device` is cuda, but torch finds no GPU here; look at nvidia-smi, or choose `auto` or `cpu`")
    return torch.device("cuda" if cuda and wanted != "cpu" else "cpu")


def set_up(device: torch.device) -> None:
    """Fix what torch would otherwise decide by the machine's load, and let it be fast."""
    if device.type == "cpu":
        # Set even where it is the default: otherwise MKL picks its threads by the machine's load, and sums by other threads differ.
        torch.set_num_threads(torch.get_num_threads() if "OMP_NUM_THREADS" in os.environ else len(os.sched_getaffinity(0)))
    else:
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")


def memory_taken(device: torch.device, dataset_bytes: int) -> dict[str, Any]:
    """The most memory that this process has taken so far, for the event of that name.

    Args:
        device: what is computed on.
        dataset_bytes: of the decoded dataset that is within it.
    """
    if device.type == "cuda":
        reserved, allocated = torch.cuda.max_memory_reserved(device), torch.cuda.max_memory_allocated(device)
        return {"device": "cuda", "peak_bytes": reserved, "allocated_bytes": allocated, "dataset_bytes": dataset_bytes}
    return {"device": "cpu", "peak_bytes": _peak(), "dataset_bytes": dataset_bytes}


def _peak() -> int:
    """The most bytes of this process that were in memory at once, without those of the one that started it."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # it outlives exec, so it may be that of the parent


def environment(device: torch.device) -> dict[str, Any]:
    """Device, threads and versions of packages, to be kept with what is computed."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return {
        "device": device.type,
        "device_name": name,
        "threads": torch.get_num_threads(),
        "versions": {package: version(package) for package in _PACKAGES},
        "server_version": version("pretext-server"),
    }
