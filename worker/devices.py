"""What this host can train on, found out without loading torch into the worker."""

import logging
import subprocess
import sys
from pathlib import Path
from typing import Literal

logger = logging.getLogger(__name__)

_PROBE = "import torch, sys; sys.exit(0 if torch.cuda.is_available() else 1)"
_DRIVER_FILES = ("nvidiactl", "dxg", "kfd")


def find_device(wanted: Literal["auto", "cpu", "cuda"]) -> Literal["cpu", "cuda"]:
    """The device of this worker.

    Raises:
        RuntimeError: a GPU is wanted, and torch finds none.
    """
    if wanted == "cpu":
        return "cpu"
    if any((Path("/dev") / name).exists() for name in _DRIVER_FILES) or wanted == "cuda":
        probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False)
        if probe.returncode == 0:
            return "cuda"
        if wanted == "cuda":
            raise RuntimeError(
                "PRETEXT_DEVICE is cuda, but torch finds no GPU here. Look at `nvidia-smi`, or set it to auto or cpu."
            )
        logger.warning("there is a GPU's driver on this host, but torch cannot use it; training on the CPU")
    return "cpu"
