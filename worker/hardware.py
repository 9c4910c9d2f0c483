"""What a worker computes on: the name of its device, and how much memory it has."""

import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

logger = logging.getLogger(__name__)

_PROBE = "import json, torch; about = torch.cuda.get_device_properties(0); print(json.dumps([about.name, about.total_memory]))"
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Hardware:
    """A device."""

    device: Literal["cpu", "cuda"]
    name: str | None
    """Model of the GPU, or of the processor and how many threads jobs have."""
    memory_bytes: int | None
    """Memory that jobs may take together; None: nobody knows."""


def hardware_of(device: Literal["cpu", "cuda"], most_bytes: int | None = None) -> Hardware:
    """Look at this host's device.

    Args:
        device: what the worker trains on.
        most_bytes: bound of the memory that jobs may take.
    """
    name, memory = _gpu() if device == "cuda" else (_processor(), _memory())
    if most_bytes is not None:
        memory = most_bytes if memory is None else min(memory, most_bytes)
    return Hardware(device, name, memory)


def _gpu() -> tuple[str | None, int | None]:
    """The first GPU, which is the one that jobs run on, asked by a process of its own: torch stays out of the worker."""
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        logger.warning("the GPU does not say what it is: %s", probe.stderr.strip()[-300:])
        return None, None
    name, memory = json.loads(probe.stdout)
    return str(name)[:200], int(memory)


def _processor() -> str:
    threads = len(os.sched_getaffinity(0))
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), os.uname().machine)
    return f"{model[:180]}, {threads} threads"


def _memory() -> int:
    """The machine's memory, or what a container may have of it."""
    total = psutil.virtual_memory().total
    for path in _LIMITS:
        try:
            total = min(total, int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return total
