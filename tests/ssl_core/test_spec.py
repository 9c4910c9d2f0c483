import pytest
from pydantic import ValidationError

from ssl_core.spec import ENCODERS, DatasetFacts, PretrainSpec, SpecError, resolve


def resolved(images: int = 10_000, side: int = 32, **asked: object):
    spec = PretrainSpec.model_validate({"task": {"name": "rotation"}, **asked})
    return resolve(spec, DatasetFacts(images=images, median_side=side))


class TestResolve:
    def test_nothing_stays_auto_but_the_device(self):
        dumped = resolved().model_dump()
        assert [name for name, value in dumped.items() if value == "auto"] == ["precision", "device"]
        assert "auto" not in str({name: dumped[name] for name in ("task", "encoder", "optimizer")})

    def test_the_device_is_pinned_once(self):
        spec = resolved().on_device("cuda")
        assert (spec.device, spec.precision) == ("cuda", "bf16")
        assert spec.on_device("cpu") == spec

    @pytest.mark.parametrize(("side", "size"), [(20, 32), (32, 32), (47, 32), (64, 64), (100, 96), (300, 224), (4000, 224)])
    def test_the_image_size_follows_the_data(self, side: int, size: int):
        assert resolved(side=side).image_size == size

    @pytest.mark.parametrize(("images", "epochs"), [(1_000, 200), (50_000, 100), (10_000_000, 10)])
    def test_the_schedule_follows_the_amount(self, images: int, epochs: int):
        assert resolved(images=images).epochs == epochs

    def test_steps_and_epochs_agree(self):
        assert resolved(images=1000, batch_size=100, epochs=3).steps == 30
        assert resolved(images=1000, batch_size=100, steps=31).epochs == 4

    @pytest.mark.parametrize("name", [name for name, info in ENCODERS.items() if info.modality == "image"])
    @pytest.mark.parametrize("side", [16, 32, 224])
    def test_every_encoder_has_defaults_that_work(self, name: str, side: int):
        spec = resolved(side=side, encoder={"name": name})
        assert spec.image_size >= 16
        assert spec.optimizer.name == ENCODERS[name].optimizer

    @pytest.mark.parametrize("images", [2, 3, 50, 127])
    def test_few_images_make_a_small_batch(self, images: int):
        assert resolved(images=images).batch_size == images

    @pytest.mark.parametrize(
        ("asked", "param"),
        [
            ({"batch_size": 20_000}, "batch_size"),
            ({"encoder": {"name": "vit_b_16"}, "image_size": 30}, "image_size"),
            ({"encoder": {"name": "alexnet"}, "image_size": 32}, "image_size"),
            ({"encoder": {"name": "vgg11_bn", "stem": "small"}}, "encoder.stem"),
        ],
    )
    def test_what_cannot_be_names_its_field(self, asked: dict, param: str):
        with pytest.raises(SpecError) as caught:
            resolved(**asked)
        assert caught.value.param == param

    def test_one_image_is_not_enough(self):
        with pytest.raises(SpecError, match="at least 2"):
            resolved(images=1)


class TestSpec:
    @pytest.mark.parametrize(
        "asked", [{"epochs": 1, "steps": 1}, {"unknown": 1}, {"optimizer": {"learning_rate": -1}}, {"epochs": 0}]
    )
    def test_refuses_nonsense(self, asked: dict):
        with pytest.raises(ValidationError):
            PretrainSpec.model_validate({"task": {"name": "rotation"}, **asked})

    def test_every_field_has_its_docstring(self):
        def walk(schema: dict) -> list[str]:
            return [
                f"{schema['title']}.{name}" for name, field in schema.get("properties", {}).items() if not field.get("description")
            ]

        schema = PretrainSpec.model_json_schema()
        assert walk(schema) == []
        assert [bare for part in schema["$defs"].values() for bare in walk(part)] == []
