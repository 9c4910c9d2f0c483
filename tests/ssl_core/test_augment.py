import torch

from ssl_core.augment import MEAN, STD, Normalize, quarter_turns, resized_crop, shift_and_flip, turned_each


def noise(count: int, side: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, generator=generator).permute(0, 3, 1, 2)


class TestQuarterTurns:
    def test_four_turns_give_the_input_back_bit_for_bit(self):
        images = noise(3, 9)
        turned = images
        for _ in range(4):
            turned = quarter_turns(turned, 1)
        assert torch.equal(turned, images)
        assert torch.equal(quarter_turns(quarter_turns(images, 1), 3), images)

    def test_no_pixel_is_changed_only_moved(self):
        images = noise(2, 8)
        for turns in range(4):
            assert torch.equal(quarter_turns(images, turns).flatten(1).sort().values, images.flatten(1).sort().values)

    def test_each_by_its_own(self):
        images = noise(4, 8)
        turned = turned_each(images, torch.arange(4))
        for number in range(4):
            assert torch.equal(turned[number], quarter_turns(images[number : number + 1], number)[0])


class TestShiftAndFlip:
    def test_nothing_asked_is_nothing_done(self):
        images = noise(2, 8)
        assert torch.equal(shift_and_flip(images, 0, flip=False), images)

    def test_draws_differ_within_a_batch(self):
        same = noise(1, 16).expand(200, -1, -1, -1)
        distinct = {sample.numpy().tobytes() for sample in shift_and_flip(same, 2, flip=True)}
        assert 40 <= len(distinct) <= 50

    def test_the_border_is_reflected_and_the_middle_is_moved(self):
        ramp = torch.arange(8).view(1, 1, 1, 8).expand(64, 3, 8, 8).to(torch.uint8)
        allowed = {
            tuple(abs(place + shift) if place + shift < 8 else 14 - place - shift for place in range(8)) for shift in range(-3, 4)
        }
        rows = {tuple(sample[0, 0].tolist()) for sample in shift_and_flip(ramp, 3, flip=False)}
        assert rows == allowed

    def test_half_are_mirrored(self):
        ramp = torch.arange(8).view(1, 1, 1, 8).expand(400, 3, 8, 8).to(torch.uint8)
        mirrored = (shift_and_flip(ramp, 0, flip=True)[:, 0, 0, 0] == 7).float().mean()
        assert 0.4 < mirrored < 0.6

    def test_stays_channels_last(self):
        assert shift_and_flip(noise(2, 8), 2, flip=True).is_contiguous(memory_format=torch.channels_last)


class TestResizedCrop:
    def test_the_whole_image_is_the_image_scaled(self):
        flat = torch.full((4, 3, 16, 16), 77, dtype=torch.uint8)
        cropped = resized_crop(flat, 8, 1.0, flip=True)
        assert cropped.shape == (4, 3, 8, 8)
        assert cropped.dtype == torch.uint8
        assert (cropped == 77).all()

    def test_areas_aspects_and_mirrorings_are_those_asked_for(self):
        place = torch.arange(32).mul(8).to(torch.uint8)
        across, down = place.expand(32, 32), place.view(32, 1).expand(32, 32)
        ramps = torch.stack([across, down, down]).expand(300, 3, 32, 32)
        cropped = resized_crop(ramps, 16, 0.4, flip=True).float() / 8
        inner = cropped[:, :, 3:13, 3:13]  # the outermost pixels are clamped to the border
        width = (inner[:, 0, 5, -1] - inner[:, 0, 5, 0]) * 16 / 9  # in pixels of the image, negative if mirrored
        height = (inner[:, 1, -1, 5] - inner[:, 1, 0, 5]) * 16 / 9
        area, aspect = (width * height).abs() / 32**2, width.abs() / height
        assert (height > 0).all()
        assert max(width.abs().max(), height.max()) < 32.5  # of 32: no crop reaches beyond the image
        assert 0.35 < (width < 0).float().mean() < 0.65
        assert 0.38 < area.min() < 0.45
        assert 0.9 < area.max() < 1.02
        assert 0.70 < aspect.min() < 0.85
        assert 1.18 < aspect.max() < 1.42

    def test_arithmetic_in_bf16_moves_no_pixel(self):
        images = noise(8, 64)
        torch.manual_seed(0)
        wanted = resized_crop(images, 56, 0.35, flip=True)
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(resized_crop(images, 56, 0.35, flip=True), wanted)

    def test_crops_stay_within_the_image_and_differ(self):
        ramp = torch.linspace(0, 255, 32).view(1, 1, 1, 32).expand(100, 3, 32, 32).to(torch.uint8)
        cropped = resized_crop(ramp, 16, 0.2, flip=False).float()
        assert (cropped.diff(dim=3) >= 0).all()  # reflected borders would turn the ramp around
        assert len(set(cropped[:, 0, 0, 0].tolist())) > 20


class TestNormalize:
    def test_has_mean_and_deviation_of_its_constants(self):
        images = torch.full((1, 3, 2, 2), 128, dtype=torch.uint8)
        wanted = torch.tensor([(128 / 255 - mean) / std for mean, std in zip(MEAN, STD, strict=True)])
        assert torch.allclose(Normalize()(images)[0, :, 0, 0], wanted, atol=1e-5)
