"""Heatmaps on pictures: where they lie, what they add up to, whom they find."""

import io
import random

import pytest
import torch
from PIL import Image

from index_build.storybook.drawing import draw, draw_masks
from index_build.storybook.scene import random_scene
from index_build.storybook.world import OBJECT_NAMES
from sparc_core.attribution import CaptionMatch, Heatmaps, LatentSum, Looks, Method, heatmaps, join, look_for
from sparc_core.attribution.grids import blur
from sparc_core.backbones import Geometry, ImageBackbone, TextBackbone, load_backbone
from sparc_core.errors import InputError
from sparc_core.model import Sparc, SparcConfig, normalize
from sparc_core.picture_files import decode_picture
from sparc_core.sparse import SparseCode
from tests.core.brightness_tower import BrightnessTower, bright_square, brightness_sparc

SQUASH, CROP = Geometry.squash(64, 64, 8), Geometry.crop(72, 64, 8)
BRIGHTNESS = LatentSum(torch.tensor([0]), torch.ones(1))


def centre(maps: Heatmaps, geometry: Geometry, size: tuple[int, int]) -> tuple[float, float]:
    """The middle of a picture's map, in pixels of the picture."""
    values = maps.values[0]
    rows, columns = values.shape
    left, top, right, bottom = geometry.window(*size)
    y = (values.sum(1) * (torch.arange(rows) + 0.5)).sum() / values.sum() / rows
    x = (values.sum(0) * (torch.arange(columns) + 0.5)).sum() / values.sum() / columns
    return left + float(x) * (right - left), top + float(y) * (bottom - top)


def show(geometry: Geometry, picture: Image.Image, method: Method) -> Heatmaps:
    tower = BrightnessTower(geometry)
    looks = look_for(method, tower, tower.preprocess([picture]))
    return heatmaps(method, brightness_sparc(), "eye", tower, looks, BRIGHTNESS)


@pytest.mark.parametrize("method", [Method.propagation, Method.glances, Method.gradcam])
@pytest.mark.parametrize("geometry", [SQUASH, CROP])
@pytest.mark.parametrize("size", [(64, 64), (640, 427), (200, 500), (97, 61), (1280, 960)])
@pytest.mark.parametrize("place", [(0.4, 0.45), (0.55, 0.52), (0.5, 0.42)])
def test_the_map_of_a_bright_square_lies_on_the_square(
    method: Method, geometry: Geometry, size: tuple[int, int], place: tuple[float, float]
) -> None:
    side = min(size) // 6
    left, top = round(place[0] * size[0]) - side // 2, round(place[1] * size[1]) - side // 2
    maps = show(geometry, bright_square(*size, (left, top, left + side, top + side)), method)
    box = geometry.patch_box(0, 0, *size)
    found = centre(maps, geometry, size)
    assert abs(found[0] - (left + side / 2)) <= (box.right - box.left) / 2
    assert abs(found[1] - (top + side / 2)) <= (box.bottom - box.top) / 2


@pytest.mark.parametrize("geometry", [SQUASH, CROP])
def test_a_picture_turned_by_exif_has_its_map_where_people_see_the_square(geometry: Geometry) -> None:
    upright = bright_square(300, 200, (165, 60, 205, 100))
    stored, exif = upright.transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[0x0112] = 6  # "turn me by 90 degrees clockwise"
    content = io.BytesIO()
    stored.save(content, "PNG", exif=exif)
    picture = decode_picture(content.getvalue(), 1024, 10**6, ("PNG",))
    assert picture.size == (300, 200)
    x, y = centre(show(geometry, picture, Method.propagation), geometry, picture.size)
    box = geometry.patch_box(0, 0, *picture.size)
    assert abs(x - 185) <= (box.right - box.left) / 2
    assert abs(y - 80) <= (box.bottom - box.top) / 2


def test_two_looks_place_a_small_square_more_finely_than_one() -> None:
    picture = bright_square(64, 64, (28, 28, 36, 36))  # over the corners of four patches
    maps = show(SQUASH, picture, Method.propagation)
    assert maps.values.shape == (1, 16, 16)
    peak = divmod(int(maps.values[0].argmax()), 16)
    assert set(peak) <= {7, 8}


def test_values_are_never_negative_and_add_up_to_the_score() -> None:
    for method in Method:
        if method is Method.relevance:
            continue  # the tower has no attention
        maps = show(SQUASH, bright_square(64, 64, (8, 8, 40, 24)), method)
        assert float(maps.values.min()) >= 0
        torch.testing.assert_close(maps.values.sum((1, 2)), maps.score.total)


def test_a_score_of_nothing_has_an_empty_map() -> None:
    maps = show(SQUASH, Image.new("RGB", (64, 64)), Method.glances)
    assert float(maps.values.abs().max()) == 0.0


def test_rows_of_looks_join_to_the_same_batch_and_count_their_bytes() -> None:
    tower = BrightnessTower(SQUASH)
    pictures = [bright_square(64, 64, (8 * i, 0, 8 * i + 8, 8)) for i in range(3)]
    batch = look_for(Method.glances, tower, tower.preprocess(pictures))
    rows = batch.rows()
    again = join(rows)
    torch.testing.assert_close(again.whole, batch.whole)
    torch.testing.assert_close(again.shifted, batch.shifted)
    assert again.embedded is again.whole
    assert rows[0].n_bytes == 2 * 65 * 2 * 4, "two looks, 65 tokens of two numbers; embedded tokens are not kept twice"
    single = look_for(Method.gradcam, tower, tower.preprocess(pictures), embed=True)
    assert join(single.rows()).shifted is None


def test_blurring_keeps_the_sum_inside_and_a_flat_map_flat() -> None:
    spike = torch.zeros(1, 5, 5)
    spike[0, 2, 2] = 16.0
    expected = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])
    torch.testing.assert_close(blur(spike)[0, 1:4, 1:4], expected)
    assert float(blur(spike).sum()) == 16.0
    torch.testing.assert_close(blur(torch.full((2, 3, 4), 0.7)), torch.full((2, 3, 4), 0.7))


@pytest.fixture(scope="module")
def clip() -> ImageBackbone:
    backbone = load_backbone("storybook:clip_img")
    assert isinstance(backbone, ImageBackbone)
    return backbone


def nouns_sparc(clip: ImageBackbone, names: tuple[str, ...]) -> Sparc:
    """A SPARC whose latents are CLIP's directions of these nouns."""
    text = load_backbone("storybook:clip_txt")
    assert isinstance(text, TextBackbone)
    sparc = Sparc(SparcConfig({"clip_img": clip.d}, n_latents=len(names), k=1)).requires_grad_(False)
    directions = normalize(text.features(text.preprocess([f"a {name}" for name in names])))
    sparc.autoencoder("clip_img").encoder.copy_(directions)
    return sparc


@pytest.mark.parametrize("method", [Method.glances, Method.propagation, Method.relevance])
def test_the_named_object_is_found_and_followed_when_the_picture_is_flipped(
    clip: ImageBackbone, method: Method
) -> None:
    names = ("penguin", "pizza", "castle")
    scene = random_scene(random.Random(4), object_ids=tuple(OBJECT_NAMES.index(name) for name in names))
    sparc, code = nouns_sparc(clip, names), SparseCode(torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, 1))
    picture = draw(scene, 224)
    x = clip.preprocess([Image.fromarray(picture), Image.fromarray(picture[:, ::-1].copy())])
    maps = heatmaps(method, sparc, "clip_img", clip, look_for(method, clip, x), CaptionMatch(code))
    torch.testing.assert_close(maps.values.sum((1, 2)), maps.score.total, rtol=1e-4, atol=1e-5)
    side = maps.values.shape[1]
    mask = torch.from_numpy(draw_masks(scene, side)[0])
    for values, own in ((maps.values[0], mask), (maps.values[1], mask.flip(-1))):
        assert float(values[own].mean()) > 3 * float(values[~own].mean())


def test_many_captions_of_one_picture_and_many_pictures_of_one_caption_agree(clip: ImageBackbone) -> None:
    names = ("penguin", "pizza")
    scene = random_scene(random.Random(4), object_ids=tuple(OBJECT_NAMES.index(name) for name in names))
    sparc = nouns_sparc(clip, names)
    looks = look_for(Method.glances, clip, clip.preprocess([Image.fromarray(draw(scene, 224))]))
    both = SparseCode(torch.tensor([[0], [1]]), torch.ones(2, 1))
    twice = join([*looks.rows(), *looks.rows()])
    together = heatmaps(Method.glances, sparc, "clip_img", clip, twice, CaptionMatch(both)).values
    for i in range(2):
        alone = CaptionMatch(SparseCode(both.latents[i : i + 1], both.activations[i : i + 1]))
        single = heatmaps(Method.glances, sparc, "clip_img", clip, looks, alone).values
        torch.testing.assert_close(together[i : i + 1], single, rtol=2e-2, atol=1e-4)
    assert float((together[0] - together[1]).abs().max()) > 0.1 * float(together.max())


def test_fewer_blocks_are_read_when_asked_and_too_many_are_refused(clip: ImageBackbone) -> None:
    x = clip.preprocess([Image.fromarray(draw(random_scene(random.Random(0)), 224))])
    looks = look_for(Method.relevance, clip, x, 2)
    assert isinstance(looks, Looks)
    assert looks.n_head_blocks == 2
    torch.testing.assert_close(looks.whole.float(), clip.trunk(x, 2).tokens, rtol=0.05, atol=0.1)
    with pytest.raises(InputError, match="has 6 blocks, not 7"):
        look_for(Method.relevance, clip, x, 7)
