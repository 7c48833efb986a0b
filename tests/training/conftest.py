"""Small streams to train on."""

import numpy as np
import pytest

from index_build.features.store import FeatureStore
from tests.training.training_examples import example_features


@pytest.fixture(scope="session")
def features() -> dict[str, np.ndarray]:
    return example_features()


@pytest.fixture(scope="session")
def store(features: dict[str, np.ndarray]) -> FeatureStore:
    return FeatureStore.of(features)
