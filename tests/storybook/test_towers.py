"""The shipped towers: any text tokenises, the split into trunk and head is true, and they know their world."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from index_build.storybook.captions import article, grammar_words
from index_build.storybook.drawing import draw
from index_build.storybook.scene import random_scene
from index_build.storybook.world import OBJECTS
from sparc_core.backbones import ImageBackbone, TextBackbone, load_backbone
from sparc_core.backbones.compact_tokenizer import CompactTokenizer
from sparc_core.backbones.pictures import to_rgb
from sparc_core.backbones.storybook import TOWERS_PATH, load_storybook
from sparc_core.errors import InputError
from sparc_core.model import normalize

TOKENIZER = CompactTokenizer.for_words(grammar_words(), 32)


@pytest.mark.parametrize("name", ["dino", "clip_img", "clip_txt"])
def test_trunk_and_head_make_the_features_wherever_the_tower_is_split(name: str) -> None:
    backbone = load_backbone(f"storybook:{name}")
    if isinstance(backbone, ImageBackbone):
        x = backbone.preprocess([Image.fromarray(draw(random_scene(random.Random(i)), 224)) for i in range(2)])
    else:
        x = backbone.preprocess(["a red car in the snow", "kitten"])
    features = backbone.features(x)
    assert features.shape == (2, backbone.d)
    for n_head_blocks in (0, 1, backbone.n_blocks):
        out = backbone.head(backbone.trunk(x, n_head_blocks), n_head_blocks)
        torch.testing.assert_close(out.features, features, rtol=1e-4, atol=1e-4)
        for attention in out.attention:
            torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1]))


@given(st.text(max_size=60))
@settings(deadline=None)
def test_any_text_tokenises_and_ends_with_the_highest_id(text: str) -> None:
    tokens = TOKENIZER([text])[0]
    assert tokens[0] == TOKENIZER.start
    assert int(tokens.max()) == TOKENIZER.end == TOKENIZER.n_tokens - 1
    end = int(tokens.argmax())
    assert (tokens[end + 1 :] == 0).all()


def test_known_words_are_pieces_and_unknown_ones_bytes() -> None:
    pieces = TOKENIZER.pieces("A Lighthouse, zebra 猫")
    assert [(word, known) for word, _, known in pieces] == [
        ("a", True),
        ("lighthouse", True),
        (",", True),
        ("zebra", False),
        ("猫", False),
    ]
    assert len(pieces[3][1]) == len("zebra")


def test_the_vocabulary_shipped_is_that_of_the_grammar() -> None:
    text = load_backbone("storybook:clip_txt")
    assert isinstance(text, TextBackbone)
    assert torch.equal(text.preprocess(["a purple umbrella, qq"]), TOKENIZER(["a purple umbrella, qq"]))


def test_words_beyond_the_context_have_no_positions() -> None:
    text = load_backbone("storybook:clip_txt")
    assert isinstance(text, TextBackbone)
    words = text.words("a cat " * 40)
    read = [word for word in words if word.positions]
    assert len(words) == 80
    assert len(read) == text.context_length - 2
    assert max(p for word in read for p in word.positions) == text.context_length - 2


def test_towers_know_their_objects() -> None:
    clip, text = load_backbone("storybook:clip_img"), load_backbone("storybook:clip_txt")
    rng = random.Random(20_250_707)
    scenes = [random_scene(rng, n_objects=1) for _ in range(72)]
    x = clip.preprocess([Image.fromarray(draw(scene, 224)) for scene in scenes])
    named = text.preprocess([article(o.nouns[0]) for o in OBJECTS])
    guess = (normalize(clip.features(x)) @ normalize(text.features(named)).T).argmax(1)
    right = sum(int(g) == scene.objects[0].object_id for g, scene in zip(guess, scenes, strict=True))
    assert right >= 0.9 * len(scenes)


def test_pictures_of_any_mode_and_size_become_inputs() -> None:
    dino = load_backbone("storybook:dino")
    assert isinstance(dino, ImageBackbone)
    modes = ["RGB", "L", "RGBA", "CMYK", "P", "1", "LA", "I;16"]
    x = dino.preprocess([Image.new(mode, (3 + i, 50)) for i, mode in enumerate(modes)])
    assert x.shape == (len(modes), 3, 112, 112)
    assert x.isfinite().all()


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    grey = np.linspace(0, 255, 64, dtype=np.uint8)[None].repeat(8, 0)
    sixteen = Image.fromarray(grey.astype(np.uint16) * 257)
    assert sixteen.mode == "I;16"
    assert np.array_equal(np.asarray(to_rgb(sixteen))[..., 0], grey)


def test_unknown_or_incomplete_towers_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='"storybook:vgg" is unknown'):
        load_backbone("storybook:vgg")
    with pytest.raises(InputError, match='"hub:something" is unknown'):
        load_backbone("hub:something")
    with pytest.raises(InputError, match=r"lacks its file config\.json: reinstall"):
        load_storybook("dino", tmp_path)


def test_towers_are_small_enough_to_ship() -> None:
    weights = list(TOWERS_PATH.rglob("*.safetensors"))
    assert len(weights) == 2
    assert sum(path.stat().st_size for path in weights) <= 16 * 2**20
