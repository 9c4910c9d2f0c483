"""That the table of costs knows everything that can be asked for."""

import pytest

from ssl_core.spec import ENCODERS, TASKS, DatasetFacts, PretrainSpec, SpecError, resolve
from ssl_core.spec.cost_table import ENCODER_COSTS, PARAMETERS, TASK_COSTS, TASK_PARAMETERS
from ssl_core.spec.costs import memory_of, sort_of


def test_knows_every_encoder_and_task():
    assert set(PARAMETERS) == set(ENCODERS)
    assert set(TASK_COSTS) == set(TASK_PARAMETERS) == set(TASKS)


@pytest.mark.parametrize("encoder", [name for name, info in ENCODERS.items() if info.modality == "image"])
@pytest.mark.parametrize("size", [32, 48, 96, 224])
def test_can_be_asked_for_whatever_resolves(encoder: str, size: int):
    facts = DatasetFacts(images=1000, median_side=size)
    for stem in ("auto", "small", "standard"):
        asked = {"encoder": {"name": encoder, "stem": stem}, "task": {"name": "simclr"}, "image_size": size, "epochs": 1}
        try:
            spec = resolve(PretrainSpec.model_validate(asked), facts).on_device("cpu")
        except SpecError:
            continue
        assert f"{spec.encoder.name}/{spec.encoder.stem}" in ENCODER_COSTS
        assert memory_of(spec, facts).activations > 0
        assert sort_of(spec).flops > 0
