"""Importing torchvision where its C++ operators cannot be loaded.

Torchvision's wheel is built against the CUDA build of torch. Beside a CPU build of torch its operators are missing, and its
import stops at registering their shapes: `operator torchvision::nms does not exist`. None of the networks here uses them, so their
schemas are declared, without an implementation, and the import is tried again. Where the operators can be loaded, nothing is
declared.
"""

import importlib
import sys
from functools import cache
from types import ModuleType

import torch

_MISSING = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []
"""A library that is garbage-collected takes its operators with it."""


@cache
def torchvision_models() -> ModuleType:
    """The module `torchvision.models`."""
    try:
        return importlib.import_module("torchvision.models")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name, schema in _MISSING.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)
    return importlib.import_module("torchvision.models")
