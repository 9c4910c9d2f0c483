"""A process that has loaded what a training needs before there is one: seconds that nobody has to wait for later."""

import importlib
import json
import os
import sys

_NEEDED = ("ssl_core.pretrain", "ssl_core.trainer", "ssl_core.export", "ssl_core.weights", "ssl_core.checkpoint")


def wait_for_work() -> list[str] | None:
    """Load the modules, then wait for a line of JSON on standard input.

    The line is an object: `arguments`, a command line as of `python -m ssl_core`; `log`, the file that standard output and error
    go to from then on. No operation of torch is run before: the job says how many threads and which device it takes.

    Returns:
        The command line; None if standard input ends without one.
    """
    for module in _NEEDED:
        importlib.import_module(module)
    from ssl_core.vision import torchvision_models

    torchvision_models()
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        return None
    order = json.loads(line)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for taken, descriptor in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(taken, descriptor)
    arguments: list[str] = order["arguments"]
    return arguments
