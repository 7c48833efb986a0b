"""How well codes give features back: NMSE and explained variance, of a stream's own features and of the others'."""

import numpy as np
from jaxtyping import Float32

from index_build.evaluation.retrieval import reconstructed
from index_build.evaluation.subject import Subject
from sparc_core.bundle.manifest import Selection
from sparc_core.evaluation.results import Reconstruction

_DIGITS = 6


def reconstructions(subject: Subject, source: str, selection: Selection) -> list[Reconstruction]:
    """Of every stream that has features, from one stream's codes as the bundle holds them."""
    codes = subject.codes(source, selection)
    found = []
    for target in subject.parts.features:
        x = subject.features(target)
        errors = nmse_and_variance(reconstructed(subject.model, target, codes), x)
        nmse, explained = (round(float(value), _DIGITS) for value in errors)
        found.append(
            Reconstruction(source=source, target=target, selection=selection, nmse=nmse, explained_variance=explained)
        )
    return found


def nmse_and_variance(
    reconstruction: Float32[np.ndarray, "m d"], x: Float32[np.ndarray, "m d"]
) -> tuple[np.float64, np.float64]:
    """The mean over rows of squared error over squared feature, and 1 - squared error over that of the mean."""
    errors = np.square(reconstruction - x).sum(1, dtype=np.float64)
    squares = np.square(x).sum(1, dtype=np.float64)
    about_mean = np.square(x - x.mean(0, dtype=np.float64)).sum(dtype=np.float64)
    explained = 1 - errors.sum() / about_mean if about_mean > 0 else np.float64(0)
    return (errors / squares).mean(), np.float64(explained)
