import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from ssl_core.images import ImageError, decode_rgb, inspect, square, thumbnail


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def red_over_blue(size: tuple[int, int] = (24, 16)) -> Image.Image:
    image = Image.new("RGB", size, (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, size[0], size[1] // 2))
    return image


def close(pixel: tuple[int, ...], wanted: tuple[int, ...], tolerance: int = 12) -> bool:
    return max(abs(a - b) for a, b in zip(pixel, wanted, strict=True)) <= tolerance


class TestDecodeRgb:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
    def test_every_format(self, kind: str):
        options = {"quality": 95} if kind in {"JPEG", "WEBP"} else {}
        image = decode_rgb(encoded(red_over_blue(), kind, **options))
        assert (image.mode, image.size) == ("RGB", (24, 16))
        assert close(image.getpixel((2, 2)), (255, 0, 0))
        assert close(image.getpixel((2, 13)), (0, 0, 255))

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_rotated_ones_come_out_upright(self, orientation: int):
        turns = {
            1: (),
            2: (Image.Transpose.FLIP_LEFT_RIGHT,),
            3: (Image.Transpose.ROTATE_180,),
            4: (Image.Transpose.FLIP_TOP_BOTTOM,),
            5: (Image.Transpose.TRANSPOSE,),
            6: (Image.Transpose.ROTATE_90,),
            7: (Image.Transpose.TRANSVERSE,),
            8: (Image.Transpose.ROTATE_270,),
        }
        stored = red_over_blue()
        for turn in turns[orientation]:
            stored = stored.transpose(turn)
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(stored, "JPEG", quality=95, exif=exif)
        image = decode_rgb(data)
        assert image.size == (24, 16)
        assert close(image.getpixel((2, 2)), (255, 0, 0), 40)
        facts = inspect(data)
        assert (facts.width, facts.height) == (24, 16)

    def test_grey_is_grey(self):
        assert decode_rgb(encoded(Image.new("L", (4, 4), 100), "PNG")).getpixel((0, 0)) == (100, 100, 100)

    def test_one_bit_is_black_and_white(self):
        assert decode_rgb(encoded(Image.new("1", (4, 4), 1), "PNG")).getpixel((0, 0)) == (255, 255, 255)

    def test_palettes_give_their_colours(self):
        image = decode_rgb(encoded(red_over_blue().quantize(4), "PNG"))
        assert close(image.getpixel((2, 2)), (255, 0, 0))

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_transparent_parts_are_white(self, mode: str):
        clear = Image.new(mode, (4, 4), (0, 0, 0, 0) if mode == "RGBA" else (0, 0))
        assert decode_rgb(encoded(clear, "PNG")).getpixel((0, 0)) == (255, 255, 255)

    def test_a_transparent_palette_colour_is_white(self):
        image = Image.new("P", (4, 4), 0)
        image.putpalette([0, 0, 0, 255, 0, 0])
        assert decode_rgb(encoded(image, "PNG", transparency=0)).getpixel((0, 0)) == (255, 255, 255)

    def test_sixteen_bits_keep_their_order_and_range(self):
        ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(1, 256)
        values = np.asarray(decode_rgb(encoded(Image.fromarray(ramp), "PNG")))[0, :, 0]
        assert values[0] == 0
        assert values[-1] == 255
        assert (np.diff(values.astype(int)) >= 0).all()
        assert len(np.unique(values)) == 256

    def test_floats_keep_their_range(self):
        ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(1, 256)
        values = np.asarray(decode_rgb(encoded(Image.fromarray(ramp), "TIFF")))[0, :, 0]
        assert (values[0], values[-1]) == (0, 255)

    def test_cmyk_has_the_right_colours(self):
        image = decode_rgb(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
        assert close(image.getpixel((8, 8)), (255, 0, 0), 30)

    def test_a_colour_profile_does_no_harm(self):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        assert decode_rgb(encoded(red_over_blue(), "PNG", icc_profile=profile)).getpixel((2, 2)) == (255, 0, 0)

    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
    def test_of_several_frames_the_first(self, kind: str):
        frames = [Image.new("RGB", (8, 8), color) for color in ((255, 0, 0), (0, 0, 255))]
        options = {"lossless": True} if kind == "WEBP" else {}
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert close(decode_rgb(data).getpixel((4, 4)), (255, 0, 0))

    def test_a_draft_is_smaller_and_large_enough(self):
        image = decode_rgb(encoded(red_over_blue((1024, 768)), "JPEG"), target=64)
        assert 64 <= min(image.size) < 256


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", "empty_file"),
            (b"just some text", "not_an_image"),
            (b"%PDF-1.7 ...", "unsupported_format"),
            (b"\x00\x00\x00\x18ftypheic" + b"\x00" * 20, "unsupported_format"),
            (b"\xff\xd8\xff\xe0broken", "truncated"),
        ],
    )
    def test_say_why(self, data: bytes, code: str):
        with pytest.raises(ImageError) as caught:
            inspect(data)
        assert caught.value.code == code

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
    def test_half_a_file_is_refused(self, kind: str):
        noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
        data = encoded(noise, kind)
        with pytest.raises(ImageError) as caught:
            inspect(data[: len(data) // 2])
        assert caught.value.code == "truncated"

    def test_a_bomb_is_refused_before_it_is_decoded(self):
        data = encoded(Image.new("1", (3000, 3000)), "PNG")
        with pytest.raises(ImageError) as caught:
            inspect(data, max_pixels=1_000_000)
        assert caught.value.code == "too_many_pixels"

    def test_other_formats_that_pillow_knows_are_not_opened(self):
        with pytest.raises(ImageError):
            inspect(encoded(red_over_blue(), "PPM"))


class TestSquare:
    def test_takes_the_middle(self):
        image = Image.new("RGB", (30, 10), (0, 0, 0))
        image.paste((255, 255, 255), (10, 0, 20, 10))
        assert (square(image, 10) == 255).all()

    def test_leaves_the_right_size_alone(self):
        pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
        assert (square(Image.fromarray(pixels), 32) == pixels).all()


class TestThumbnail:
    @pytest.mark.parametrize("kind", ["webp", "png"])
    def test_is_small_and_has_no_metadata(self, kind: str):
        exif = Image.Exif()
        exif[0x010E] = "a secret"
        data = thumbnail(encoded(red_over_blue((300, 200)), "JPEG", exif=exif), 64, kind)
        assert b"secret" not in data
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (64, 43)
            assert not image.getexif()
