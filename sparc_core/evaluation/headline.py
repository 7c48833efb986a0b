"""The few numbers of an evaluation that a manifest carries."""

from sparc_core.evaluation.results import Evaluation

_DIGITS = 6


def headline(evaluation: Evaluation) -> dict[str, float]:
    """The manifest's metrics: recalls inside the corpus, NMSE, shares and means; `docs/bundle.md` names them."""
    metrics: dict[str, float] = {}
    for row in evaluation.retrieval:
        if row.inside and row.way != "reconstruction":
            direction = f"{row.way}.{row.query}.{row.target}"
            metrics |= {f"recall_at_1.{direction}": row.at_1, f"recall_at_10.{direction}": row.at_10}
    for error in evaluation.reconstruction:
        if error.source == error.target and error.selection == "own":
            metrics[f"nmse.{error.source}"] = error.nmse
    for found in evaluation.vector_recalls:
        metrics[f"vector_recall_at_10.{found.via}.{found.query}.{found.target}"] = found.at_10
    metrics |= _of_latents(evaluation)
    metrics |= {f"probe_cross_entropy.{probe.stream}": probe.cross_entropy for probe in evaluation.probe_means}
    return {name: round(value, _DIGITS) for name, value in metrics.items()}


def _of_latents(evaluation: Evaluation) -> dict[str, float]:
    metrics: dict[str, float] = {}
    n_latents, liveness, objects = evaluation.settings.n_latents, evaluation.liveness, evaluation.pure_objects
    if liveness.patterns:
        metrics["latents_dead"] = liveness.dead_in_all / n_latents
        metrics["latents_alive_in_some"] = liveness.alive_in_some / n_latents
    profiles = {row.depth: row.jaccard for row in evaluation.profiles if row.selection == "own"}
    deepest = profiles[max(profiles)] if profiles else None
    if deepest is not None:
        metrics["profile_jaccard"] = deepest
    if objects.n_objects:
        metrics["objects_with_pure_latent"] = objects.n_with_pure_latent / objects.n_objects
    return metrics
