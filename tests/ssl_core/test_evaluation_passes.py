"""How often an evaluation shows images to an encoder, counted by hooks in the network itself."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from launcher.shapes import generate
from ssl_core.cache import DecodedImages
from ssl_core.encoders import build_encoder
from ssl_core.evaluate.report import Evaluation
from ssl_core.evaluate.subject import Given, Subject
from ssl_core.events import TextEvents
from ssl_core.process import StopRequest
from ssl_core.spec import DatasetFacts, ResolvedEncoder
from ssl_core.spec.evaluate import EvaluateSpec

COUNT = 48
PROTOCOLS = [
    {"name": "knn", "k": 5},
    "linear",
    {"name": "retrieval", "queries": 10},
    {
        "name": "label_efficiency",
        "labels_per_class": [1, "all"],
        "methods": ["linear"],
        "steps": 1,
        "learning_rates": [0.001],
        "draws": 2,
    },
]


@pytest.fixture
def subject(tmp_path: Path):
    config = {"encoder": {"name": "tiny", "stem": "standard"}, "image_size": 32}
    (tmp_path / "config.json").write_text(json.dumps(config))
    encoder = build_encoder(ResolvedEncoder.model_validate(config["encoder"]), 32)
    save_file(encoder.network.state_dict(), tmp_path / "encoder.safetensors")
    images, labels, _ = generate(count=COUNT, seed=0, size=32)
    facts = DatasetFacts(images=COUNT, median_side=32)
    decoded = DecodedImages(np.array(images), facts, np.array(labels) % 3, ("a", "b", "c"), None)

    def make(protocols: list) -> tuple[Subject, EvaluateSpec]:
        spec = EvaluateSpec.model_validate({"protocols": protocols, "duplicates": "keep"})
        events = TextEvents(io.StringIO())
        return Subject(spec, Given("tiny", tmp_path, decoded), torch.device("cpu"), events, StopRequest()), spec

    return make


def first_layer(network: nn.Module) -> nn.Module:
    return next(module for module in network.modules() if isinstance(module, nn.Conv2d))


class TestPasses:
    def test_features_are_extracted_once_for_all_protocols(self, subject, tmp_path: Path):
        one, spec = subject(PROTOCOLS)
        shown: list[int] = []
        first_layer(one.encoder("pretrained")).register_forward_hook(lambda _module, _given, output: shown.append(len(output)))
        Evaluation(spec, one, tmp_path / "out", TextEvents(io.StringIO()), StopRequest(), checkpoint_seconds=1e9).run()
        assert sum(shown) == COUNT

    def test_those_of_the_untrained_network_too(self, subject, tmp_path: Path):
        one, spec = subject([PROTOCOLS[0], PROTOCOLS[2]])
        shown: dict[int, int] = {}

        def count(module: nn.Module, given: tuple, output: object) -> None:
            if isinstance(module, nn.Conv2d) and module.in_channels == 3:
                shown[id(module)] = shown.get(id(module), 0) + len(given[0])

        hook = nn.modules.module.register_module_forward_hook(count)
        try:
            Evaluation(spec, one, tmp_path / "out", TextEvents(io.StringIO()), StopRequest(), checkpoint_seconds=1e9).run()
        finally:
            hook.remove()
        assert sum(shown.values()) == 2 * COUNT
