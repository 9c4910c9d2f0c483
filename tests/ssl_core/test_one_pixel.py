import torch
from torch import Tensor, nn

from ssl_core.evaluate.one_pixel import evolve, one_pixel, with_pixel
from ssl_core.process import StopRequest


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class TestEvolve:
    def test_finds_known_optima_side_by_side(self):
        optima = torch.tensor([[0.3, -2.0, 1.5], [4.0, 4.0, -4.0]])  # the second lies at a corner of what is allowed, and beyond

        def cost(members: Tensor, which: Tensor) -> Tensor:
            return (members - optima[which].unsqueeze(1)).square().sum(2)

        low, high = torch.full((3,), -3.0), torch.full((3,), 3.0)
        first = low + (high - low) * torch.rand((2, 60, 3), generator=generator())
        found = evolve(cost, first, low, high, generations=150, enough=-1, generator=generator())
        assert torch.allclose(found.members, optima.clamp(-3, 3), atol=0.01)
        assert torch.allclose(found.costs, torch.tensor([0.0, 3.0]), atol=0.01)

    def test_never_gets_worse_and_is_done_once_it_is_enough(self):
        def cost(members: Tensor, _which: Tensor) -> Tensor:
            return members.square().sum(2)

        first = torch.rand((1, 20, 2), generator=generator())
        low, high = torch.zeros(2), torch.ones(2)
        costs = [
            float(evolve(cost, first, low, high, generations=count, enough=-1, generator=generator()).costs) for count in range(6)
        ]
        assert costs == sorted(costs, reverse=True)
        assert costs[-1] < costs[0]
        assert int(evolve(cost, first, low, high, generations=50, enough=10, generator=generator()).generations) == 0


class Watches(nn.Module):
    """Says class 1 once the red of one pixel is above a half, else class 0."""

    asked = 0

    def forward(self, pixels: Tensor) -> Tensor:
        self.asked += len(pixels)
        red = pixels[:, 0, 5, 2] - 0.5
        return torch.stack([-red, red], 1)


class TestOnePixel:
    def test_changes_one_pixel_alone(self):
        images = torch.rand(3, 3, 8, 8)
        members = torch.tensor([[0, 7, 255, 0, 10], [3.4, 2.6, 1, 2, 3], [7, 0, 0, 0, 0]], dtype=torch.float32)
        differs = (with_pixel(images, members) != images).any(1)
        assert [one.nonzero().tolist() for one in differs] == [[[0, 7]], [[3, 3]], [[7, 0]]]

    def test_finds_the_pixel_that_a_network_looks_at(self):
        pixels, network = torch.full((2, 3, 8, 8), 0.2), Watches()
        found = one_pixel(network, pixels, torch.tensor([0, 0]), generator(), population=200, generations=30, stop=StopRequest())
        assert [(one["fooled"], one["row"], one["column"], one["predicted"]) for one in found] == [(True, 5, 2, 1)] * 2
        assert all(one["color"][0] > 127 for one in found)
        assert network.asked == sum(one["queries"] for one in found) + 2

    def test_fails_honestly_where_no_pixel_matters(self):
        class Blind(nn.Module):
            def forward(self, pixels: Tensor) -> Tensor:
                return torch.tensor([1.0, 0.0]).expand(len(pixels), 2)

        (found,) = one_pixel(
            Blind(), torch.rand(1, 3, 8, 8), torch.tensor([0]), generator(), population=8, generations=3, stop=StopRequest()
        )
        assert (found["fooled"], found["predicted"], found["queries"]) == (False, 0, 32)
