import pytest
import torch
from torch import nn

from ssl_core.encoders import build_encoder
from ssl_core.optim import build_optimizer, rate_at, set_rate
from ssl_core.spec import ResolvedEncoder, ResolvedOptimizer


def spec_of(**asked: object) -> ResolvedOptimizer:
    defaults = {"name": "sgd", "learning_rate": 0.1, "weight_decay": 0.01, "momentum": 0.9, "warmup_steps": 4, "schedule": "cosine"}
    return ResolvedOptimizer.model_validate({**defaults, **asked})


class TestRate:
    def test_rises_to_the_peak_then_falls_to_zero(self):
        rates = [rate_at(step, 20, spec_of()) for step in range(20)]
        assert rates[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
        assert rates[4] == 1
        assert rates[4:] == sorted(rates[4:], reverse=True)
        assert 0 < rates[-1] < 0.02
        assert rate_at(12, 20, spec_of()) == pytest.approx(0.5)

    def test_a_constant_one_stays_at_the_peak(self):
        assert {rate_at(step, 20, spec_of(schedule="constant")) for step in range(4, 20)} == {1.0}

    def test_without_warm_up_the_first_step_is_taken_at_the_peak(self):
        assert rate_at(0, 20, spec_of(warmup_steps=0)) == 1

    @pytest.mark.parametrize("name", ["sgd", "adamw"])
    def test_is_a_share_of_the_peak_however_often_it_is_set(self, name: str):
        optimizer = build_optimizer(nn.Linear(2, 2), spec_of(name=name))
        for share in (0.5, 0.25, 1.0, 0.1):
            set_rate(optimizer, share)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.01, 0.01])


class TestWeightDecay:
    @pytest.mark.parametrize("name", ["sgd", "adamw"])
    def test_shrinks_weights_and_leaves_biases_and_normalisation(self, name: str):
        module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        for parameter in module.parameters():
            nn.init.ones_(parameter)
            parameter.grad = torch.zeros_like(parameter)
        optimizer = build_optimizer(module, spec_of(name=name))
        optimizer.step()
        assert (module[0].weight < 1).all()
        assert all((value == 1).all() for value in (module[0].bias, module[1].weight, module[1].bias))

    @pytest.mark.parametrize("name", ["vit_b_16", "convnext_tiny", "swin_t"])
    def test_leaves_scales_and_places(self, name: str):
        with torch.device("meta"):
            encoder = build_encoder(ResolvedEncoder(name=name, stem="standard"), 64)
            optimizer = build_optimizer(encoder, spec_of(name="adamw"))
        decayed = {id(parameter) for parameter in optimizer.param_groups[0]["params"]}
        names = {name.rpartition(".")[2] for name, parameter in encoder.named_parameters() if id(parameter) in decayed}
        assert names <= {"weight", "in_proj_weight"}

    def test_every_weight_is_trained(self):
        with torch.device("meta"):
            encoder = build_encoder(ResolvedEncoder(name="convnext_tiny", stem="standard"), 64)
            groups = build_optimizer(encoder, spec_of()).param_groups
        assert sum(len(group["params"]) for group in groups) == len(list(encoder.parameters()))
