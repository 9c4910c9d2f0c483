"""The encoder as a file that needs none of our code: ONNX, and PyTorch's own exported program. B: batch, D: features.

What they need is imported here and only when a bundle is written: a training must not wait for it.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from ssl_core.encoders import Encoder
from ssl_core.spec.export import Format

FILES: dict[Format, str] = {"onnx": "encoder.onnx", "pt2": "encoder.pt2"}
_BATCH = 3
_TRACED = 2
_LONGEST_REASON = 200

_Asked = Callable[[Tensor], Tensor]
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Probe:
    """Images, or clips, and what the trained encoder makes of them."""

    inputs: Tensor
    """(B, 3, S, S), or (B, 3, T, S, S); normal noise."""
    features: Tensor
    """(B, D)."""

    @classmethod
    def of(cls, encoder: Encoder, image_size: int, clip_frames: int | None) -> "Probe":
        """Ask an encoder, which is on the CPU, in fp32 and in evaluation mode."""
        generator = torch.Generator().manual_seed(0)
        frames = () if clip_frames is None else (clip_frames,)
        inputs = torch.randn(_BATCH, 3, *frames, image_size, image_size, generator=generator)
        with torch.no_grad():
            return cls(inputs, encoder(inputs))

    @property
    def name(self) -> str:
        """What the inputs are."""
        return "images" if self.inputs.ndim == 4 else "clips"

    def difference(self, other: _Asked) -> float:
        """Largest difference of a feature, relative to the largest feature, of all the inputs at once and of one by itself."""
        with torch.no_grad():
            found = torch.cat([other(self.inputs), other(self.inputs[:1])])
        wanted = torch.cat([self.features, self.features[:1]])
        return float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1e-12))


def write_formats(
    names: Sequence[Format], encoder: Encoder, probe: Probe, folder: Path, tolerance: float
) -> dict[Format, float | str]:
    """Write an encoder in these formats, read each file back, and compare.

    Args:
        names: of the formats.
        encoder: what to write; on the CPU, in fp32 and in evaluation mode.
        probe: what it has to give.
        folder: for the files.
        tolerance: the largest difference that is rounding.

    Returns:
        Of each the largest difference, as of `Probe.difference`; or why there is no file.
    """
    if not names:
        return {}
    with _quiet(), torch.no_grad():
        program = _reason_or(lambda: _traced(encoder, probe))
        return {
            name: program if isinstance(program, str) else _written(name, program, probe, folder / FILES[name], tolerance)
            for name in names
        }


def _written(name: Format, program: ExportedProgram, probe: Probe, path: Path, tolerance: float) -> float | str:
    found = _reason_or(lambda: _WRITERS[name](program, probe, path))
    if isinstance(found, float) and not found <= tolerance:
        found = f"its features would be off by {found:.2g}"
    if isinstance(found, str):
        path.unlink(missing_ok=True)
    return found


def _reason_or(make: Callable[[], _Made]) -> _Made | str:
    """What is made, or why it cannot be."""
    try:
        return make()
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  whatever an exporter stumbles over, the weights are worth more
        return f"{type(error).__name__}: {(str(error).strip() or 'no reason given').splitlines()[0][:_LONGEST_REASON]}"


def _write_pt2(program: ExportedProgram, probe: Probe, path: Path) -> float:
    torch.export.save(program, path)
    return probe.difference(torch.export.load(path).module())


def _write_onnx(program: ExportedProgram, probe: Probe, path: Path) -> float:
    import onnxruntime

    made = torch.onnx.export(program, dynamo=True, input_names=[probe.name], output_names=["features"], external_data=False)
    assert made is not None
    for node in made.model.graph:
        node.metadata_props.clear()  # which of our modules each came from
    made.save(str(path), external_data=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors alone
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def ask(inputs: Tensor) -> Tensor:
        (features,) = session.run(["features"], {probe.name: inputs.numpy()})
        return torch.from_numpy(features)

    return probe.difference(ask)


_WRITERS: dict[Format, Callable[[ExportedProgram, Probe, Path], float]] = {"onnx": _write_onnx, "pt2": _write_pt2}


class _Skipped(nn.Module):
    """In the place of a module that nothing depends on."""

    def forward(self, inputs: Tensor, *_more: Any, **_named: Any) -> Tensor:
        return inputs


def _traced(encoder: Encoder, probe: Probe) -> ExportedProgram:
    """The encoder's graph for any number of images or clips. The same encoder gives the same graph, wherever it is installed."""
    program = _trace(encoder, probe)
    if encoder.ends_at is not None:
        short = deepcopy(encoder)
        _skip(short, "", _unused(program))
        program = _trace(short, probe)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return program


def _trace(encoder: Encoder, probe: Probe) -> ExportedProgram:
    inputs = torch.zeros_like(probe.inputs[:_TRACED])
    return torch.export.export(encoder, (inputs,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))


def _unused(program: ExportedProgram) -> set[str]:
    """Names of the weights that the features do not depend on: those behind the stage that the encoder ends at."""
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    needed, ahead = set(), [program.graph.output_node()]
    while ahead:
        node = ahead.pop()
        if node not in needed:
            needed.add(node)
            ahead += node.all_input_nodes
    return set(names.values()) - {names[node.name] for node in needed if node.name in names}


def _skip(module: nn.Module, path: str, unused: set[str]) -> None:
    """Leave out the modules of which no weight is used, so that these are not written either."""
    for name, child in module.named_children():
        weights = {f"{path}{name}.{key}" for key in child.state_dict()}
        if weights and weights <= unused:
            module.register_module(name, _Skipped())
        else:
            _skip(child, f"{path}{name}.", unused)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What exporters say while they work is of no use to anyone who waits for a model."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
