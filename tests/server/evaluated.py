"""An evaluation made by hand, so that every table is there, and an explorer that shows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from server.explorer import Explorer
from server.services.evaluation import Evaluated
from sparc_core.evaluation.results import Evaluation, Reconstruction, Sparsity
from tests.evaluation.evaluation_examples import example_evaluation, probe, profile, retrieval

N_CLASSES = 20
EDGES = (0.001, 0.01, 0.1, 1.0)


def full_evaluation() -> Evaluation:
    """Every table, and enough rows for those that fold; streams dino, clip_img, clip_txt."""
    classes = [probe("dino", f"class {i}", latent=i, n_positive=60 + i) for i in range(N_CLASSES)]
    classes += [probe("clip_txt", f"class {i}", latent=40 + i, n_positive=60 + i) for i in range(N_CLASSES)]
    uneven = [row.model_copy(update={"cross_entropy": 0.3 + 0.01 * row.latent}) for row in classes]
    example = example_evaluation()
    return example.model_copy(
        update={
            "probes": tuple(uneven),
            "profiles": (profile(0), profile(1), profile(2), profile(0, "local"), profile(2, "local")),
            "retrieval": (
                *example.retrieval,
                retrieval("latent", "clip_txt", "clip_img"),
                retrieval("backbone", "clip_txt", "clip_img"),
            ),
            "reconstruction": (
                *example.reconstruction,
                Reconstruction(source="dino", target="dino", selection="own", nmse=0.1, explained_variance=0.9),
            ),
            "sparsity": tuple(
                Sparsity(stream=stream, selection="own", l0=3.5, edges=EDGES, counts=(0, 5, 6), n_never=1)
                for stream in ("dino", "clip_img", "clip_txt")
            ),
        }
    )


@contextmanager
def showing(explorer: Explorer, evaluation: Evaluation) -> Iterator[None]:
    """Let an explorer answer as if this were its bundle's evaluation."""
    before = explorer.evaluated
    explorer.evaluated = Evaluated(SimpleNamespace(evaluation=evaluation))  # type: ignore[arg-type]
    yield
    explorer.evaluated = before
