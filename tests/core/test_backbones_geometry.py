"""Geometry and preprocessing: the same numbers as the libraries' own, and squares found where they were drawn."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sparc_core.backbones import Box, Geometry
from sparc_core.backbones.pictures import PictureInput

MEAN, STD = (0.48, 0.45, 0.40), (0.26, 0.27, 0.28)
SIDES = st.integers(1, 700)
SIZES = [(224, 224), (640, 480), (481, 640), (333, 97), (97, 334), (50, 60), (31, 300), (225, 226)]
GEOMETRIES = [
    Geometry.squash(64, 64, 8),
    Geometry.squash(48, 80, 16),
    Geometry.squash(70, 70, 16),
    Geometry.crop(64, 64, 8),
    Geometry.crop(73, 64, 16),
    Geometry.crop(73, 64, 16, "transformers"),
    Geometry.crop(40, 64, 8),
    Geometry.crop(41, 64, 8, "transformers"),
    Geometry(64, 64, 8, (75, 90)),
]


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8))


@given(st.sampled_from(GEOMETRIES), SIDES, SIDES, st.data())
def test_a_patch_holds_its_own_middle_and_nobody_elses(
    geometry: Geometry, width: int, height: int, data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, geometry.rows - 1))
    column = data.draw(st.integers(0, geometry.columns - 1))
    box = geometry.patch_box(row, column, width, height)
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    inside = 0 <= x < width and 0 <= y < height
    assert geometry.patch_of(x, y, width, height) == ((row, column) if inside else None)


@given(st.sampled_from(GEOMETRIES), SIDES, SIDES, st.floats(0, 1), st.floats(0, 1))
def test_points_of_the_picture_have_a_patch_where_they_are_in_the_window(
    geometry: Geometry, width: int, height: int, across: float, down: float
) -> None:
    x, y = across * width, down * height
    window = geometry.window(width, height)
    patch = geometry.patch_of(x, y, width, height)
    slack = 1e-6 * max(width, height)
    if patch is not None:
        box = geometry.patch_box(*patch, width, height)
        assert box.left - slack <= x <= box.right + slack
        assert box.top - slack <= y <= box.bottom + slack
    clear_of_borders = window.left + slack < x < window.right - slack and window.top + slack < y < window.bottom - slack
    if clear_of_borders and x < width and y < height:
        assert patch is not None


@given(st.sampled_from(GEOMETRIES), SIDES, SIDES)
def test_patches_tile_the_window(geometry: Geometry, width: int, height: int) -> None:
    first = geometry.patch_box(0, 0, width, height)
    last = geometry.patch_box(geometry.rows - 1, geometry.columns - 1, width, height)
    assert geometry.window(width, height) == Box(first.left, first.top, last.right, last.bottom)
    if geometry.columns > 1:
        assert geometry.patch_box(0, 1, width, height).left == first.right


def test_windows_by_hand() -> None:
    assert Geometry.squash(64, 64, 8).window(300, 200) == (0, 0, 300, 200)
    # 70 pixels hold four patches of 16: six pixels at the right and the bottom are not seen.
    assert Geometry.squash(70, 70, 16).window(140, 70) == (0, 0, 128, 64)
    # 200 x 100 becomes 128 x 64; the middle 64 columns are seen, from 32 on.
    assert Geometry.crop(64, 64, 8).window(200, 100) == (50, 0, 150, 100)
    # 100 x 100 becomes 40 x 40 and is padded by 12 on each side.
    assert Geometry.crop(40, 64, 8).window(100, 100) == (-30, -30, 130, 130)
    assert Geometry.crop(64, 64, 8).patch_of(49, 50, 200, 100) is None
    assert Geometry.crop(64, 64, 8).patch_of(50, 0, 200, 100) == (0, 0)
    assert Geometry.crop(64, 64, 8).patch_of(149.9, 99.9, 200, 100) == (7, 7)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize(("width", "height"), [(256, 256), (400, 200), (200, 400), (301, 173), (97, 131)])
def test_a_bright_square_is_seen_where_geometry_says(geometry: Geometry, width: int, height: int) -> None:
    """Run the real preprocessing on black pictures with one bright square; its mass must be where it was drawn."""
    look = PictureInput(geometry, (0, 0, 0), (1, 1, 1), "bilinear")
    side = max(width, height) // 12
    window, found = geometry.window(width, height), 0
    for left in range(0, width - side, side):
        for top in range(0, height - side, 2 * side):
            square = Box(left, top, left + side, top + side)
            if not (window.left <= square.left and square.right <= window.right):
                continue
            if not (window.top <= square.top and square.bottom <= window.bottom):
                continue
            pixels = np.zeros((height, width, 3), np.uint8)
            pixels[top : top + side, left : left + side] = 255
            light = look([Image.fromarray(pixels)])[0, 0]
            light = light[: geometry.rows * geometry.patch, : geometry.columns * geometry.patch]
            rows, columns = torch.arange(light.shape[0]) + 0.5, torch.arange(light.shape[1]) + 0.5
            row = float((light.sum(1) * rows).sum() / light.sum()) / geometry.patch
            column = float((light.sum(0) * columns).sum() / light.sum()) / geometry.patch
            x, y = left + side / 2, top + side / 2
            box = geometry.patch_box(0, 0, width, height)
            assert abs(column - (x - window.left) / (box.right - box.left)) < 0.1
            assert abs(row - (y - window.top) / (box.bottom - box.top)) < 0.1
            patch = geometry.patch_of(x, y, width, height)
            assert patch is not None
            assert abs(patch[0] + 0.5 - row) <= 0.6
            assert abs(patch[1] + 0.5 - column) <= 0.6
            found += 1
    assert found >= 3


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("mode", ["squash", "shortest"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_pictures_become_what_open_clip_makes_of_them(mode: str, interpolation: Any, width: int, height: int) -> None:
    from open_clip.transform import image_transform

    transform = image_transform(56, False, MEAN, STD, resize_mode=mode, interpolation=interpolation)
    geometry = Geometry.squash(56, 56, 8) if mode == "squash" else Geometry.crop(56, 56, 8)
    picture = noise(width, height)
    ours = PictureInput(geometry, MEAN, STD, interpolation)([picture])[0]
    torch.testing.assert_close(ours, transform(picture), rtol=0, atol=1e-6)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "lanczos", "nearest"])
@pytest.mark.parametrize(("shorter", "side"), [(73, 64), (64, 64), (70, 64), (41, 64), (40, 64)])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_pictures_become_what_torchvision_makes_of_them(
    interpolation: Any, shorter: int, side: int, width: int, height: int
) -> None:
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

    resize = Resize(shorter, InterpolationMode(interpolation))
    transform = Compose([resize, CenterCrop(side), ToTensor(), Normalize(MEAN, STD)])
    picture = noise(width, height)
    ours = PictureInput(Geometry.crop(shorter, side, 8), MEAN, STD, interpolation)([picture])[0]
    torch.testing.assert_close(ours, transform(picture), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("shorter", "side"), [(73, 64), (64, 64), (70, 64), (41, 64), (40, 64)])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_pictures_become_what_transformers_makes_of_them(shorter: int, side: int, width: int, height: int) -> None:
    from transformers import BitImageProcessorPil

    processor = BitImageProcessorPil(
        size={"shortest_edge": shorter},
        crop_size={"height": side, "width": side},
        image_mean=list(MEAN),
        image_std=list(STD),
        resample=Image.Resampling.BICUBIC,
    )
    picture = noise(width, height)
    theirs = torch.as_tensor(processor(picture, return_tensors="pt")["pixel_values"])[0]
    ours = PictureInput(Geometry.crop(shorter, side, 8, "transformers"), MEAN, STD)([picture])[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_other_scales_than_255ths_are_multiplied() -> None:
    look = PictureInput(Geometry.squash(8, 8, 8), (0.0,) * 3, (1.0,) * 3, rescale=1 / 127.5)
    assert float(look([Image.new("RGB", (9, 9), (255, 255, 255))]).max()) == pytest.approx(2.0)


def test_a_strip_of_one_pixel_is_fitted_without_growing_to_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    look = PictureInput(Geometry.crop(256, 224, 16), (0.0,) * 3, (1.0,) * 3)
    pixels, resize, areas = np.zeros((1, 3000, 3), np.uint8), Image.Image.resize, []
    pixels[:, 1500:] = 255

    def watched(picture: Image.Image, size: tuple[int, int], resample: Any) -> Image.Image:
        areas.append(size[0] * size[1])
        return resize(picture, size, resample)

    monkeypatch.setattr(Image.Image, "resize", watched)
    light = look([Image.fromarray(pixels), Image.fromarray(pixels.transpose(1, 0, 2).copy())])
    assert max(areas) <= 33 * 256 * 256
    assert light.shape == (2, 3, 224, 224)
    assert float(light[0, 0, :, -1].mean()) > 0.9 > 0.1 > float(light[0, 0, :, 0].mean())
    torch.testing.assert_close(light[1], light[0].transpose(1, 2))
