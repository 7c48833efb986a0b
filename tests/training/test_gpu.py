"""The same training on a GPU."""

import pytest
import torch

from index_build.features.store import FeatureStore
from index_build.training.trainer import Trainer
from tests.training.training_examples import RECIPES, small

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, which this machine has not"),
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_gpu_takes_the_same_steps(recipe: str, store: FeatureStore) -> None:
    options = small(recipe, dead_steps_threshold=2, mix_share=0.5, clip_grad_norm=1.0)
    cpu, gpu = Trainer(store, options), Trainer(store, options, device=torch.device("cuda"))
    for _ in range(12):
        expected, found = cpu.step(), gpu.step()
        assert float(found.total) == pytest.approx(float(expected.total), rel=1e-3)
    for name, value in cpu.model.state_dict().items():
        torch.testing.assert_close(gpu.model.state_dict()[name].cpu(), value, rtol=1e-2, atol=1e-3)
