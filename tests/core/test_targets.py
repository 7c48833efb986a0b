"""What heatmaps explain: scores by hand, and parts that add up."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from sparc_core.attribution import CaptionMatch, CodeSum, CrossModal, LatentSum, Similarity
from sparc_core.sparse import SparseCode

NO_FEATURES = torch.zeros(3, 1)


def test_a_match_is_a_cosine_made_of_its_parts_and_ignores_negative_logits() -> None:
    code = SparseCode(torch.tensor([[2, 0]]), torch.tensor([[3.0, 4.0]]))
    logits = torch.tensor([[4.0, 0.0, 3.0], [-1.0, 12.0, 5.0], [-1.0, -1.0, -1.0]])
    score = CaptionMatch(code)(NO_FEATURES, logits)
    torch.testing.assert_close(score.parts, torch.tensor([[0.36, 0.64], [15 / 65, 0.0], [0.0, 0.0]]))
    torch.testing.assert_close(score.total, torch.tensor([1.0, 3 / 13, 0.0]))
    torch.testing.assert_close(score.activations, torch.tensor([[3.0, 4.0], [5.0, 0.0], [0.0, 0.0]]))


def test_a_match_narrowed_to_one_latent_is_its_part_of_the_whole() -> None:
    code = SparseCode(torch.tensor([[2, 0]]), torch.tensor([[3.0, 4.0]]))
    logits = torch.tensor([[4.0, 0.0, 3.0]])
    torch.testing.assert_close(CaptionMatch(code, torch.tensor([0]))(NO_FEATURES, logits).total, torch.tensor([0.64]))


@given(st.integers(0, 10_000))
def test_parts_add_up_and_narrowed_matches_do_too(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 9, generator=generator)
    latents = torch.randperm(9, generator=generator)[:4]
    code = SparseCode(latents[None], torch.rand(1, 4, generator=generator))
    whole = CaptionMatch(code)(NO_FEATURES, logits)
    torch.testing.assert_close(whole.parts.sum(1), whole.total)
    narrowed = [CaptionMatch(code, latent[None])(NO_FEATURES, logits).total for latent in latents]
    torch.testing.assert_close(torch.stack(narrowed).sum(0), whole.total)
    other = {"text": torch.randn(1, 9, generator=generator)}
    for target in (CodeSum(3, other), CrossModal(3, other, "text"), LatentSum(latents, torch.rand(4))):
        score = target(NO_FEATURES, logits)
        torch.testing.assert_close(score.parts.sum(1), score.total)


def test_published_targets_share_their_selection_over_the_pair() -> None:
    own, text = torch.tensor([[5.0, 1.0, 0.0, -9.0]]), torch.tensor([[-6.0, 1.0, 3.0, 8.0]])
    # Sums -1, 2, 3, -1: latents 2 and 1 are chosen, whatever each would choose alone.
    product = CrossModal(2, {"text": text}, "text")(NO_FEATURES[:1], own)
    assert product.latents.tolist() == [[2, 1]]
    torch.testing.assert_close(product.total, torch.tensor([1.0]))
    torch.testing.assert_close(CodeSum(2, {"text": text})(NO_FEATURES[:1], own).total, torch.tensor([1.0]))
    torch.testing.assert_close(CodeSum(2, {})(NO_FEATURES[:1], own).total, torch.tensor([6.0]))


def test_latents_are_added_up_with_their_weights() -> None:
    target = LatentSum(torch.tensor([2, 0]), torch.tensor([1.0, 10.0]))
    score = target(NO_FEATURES[:2], torch.tensor([[1.0, 9.0, 3.0], [-1.0, 9.0, 2.0]]))
    torch.testing.assert_close(score.total, torch.tensor([13.0, 2.0]))


def test_similarity_is_a_cosine_without_latents() -> None:
    score = Similarity(torch.tensor([[3.0, 4.0]]))(torch.tensor([[0.6, 0.8], [1.0, 0.0]]), torch.zeros(2, 7))
    torch.testing.assert_close(score.total, torch.tensor([1.0, 0.6]))
    assert score.parts.shape == (2, 0)
