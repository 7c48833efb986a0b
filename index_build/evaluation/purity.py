"""Whether each object has a latent of its own: labels of kind "object" that a latent's strongest items share."""

import numpy as np

from index_build.evaluation.subject import Subject
from index_build.indexing.statistics import blocks_of_latents, corpus_facts, label_shares, n_top
from sparc_core.evaluation.results import PureObjects
from sparc_core.metrics import labels_with_pure_latent

OBJECT_KIND = "object"


def pure_objects(subject: Subject) -> PureObjects:
    """Which objects have one latent that is pure in every stream, over all items and the model's own selection."""
    kinds = {label.name: label.kind for label in subject.parts.labels}
    facts = corpus_facts(subject.items.captions(), subject.items.labels(), kinds)
    columns = np.array([kind == OBJECT_KIND for kind in facts.label_kinds], bool)
    objects = [name for name, is_object in zip(facts.label_names, columns, strict=True) if is_object]
    carries, enough = facts.carries[:, np.flatnonzero(columns)], n_top(len(facts.captions))
    tops = {
        stream: [posting.items[:enough].copy() for posting in postings.in_order()]
        for stream, postings in subject.postings().items()
    }
    pure, by_stream = np.zeros(len(objects), bool), {stream: np.zeros(len(objects), bool) for stream in tops}
    for latents in blocks_of_latents(subject.n_latents, len(objects)):
        shares = {stream: label_shares(top[latents], carries, enough) for stream, top in tops.items()}
        pure |= labels_with_pure_latent(shares)
        for stream, share in shares.items():
            by_stream[stream] |= labels_with_pure_latent({stream: share})
    return PureObjects(
        n_objects=len(objects),
        n_with_pure_latent=int(pure.sum()),
        by_stream={stream: int(found.sum()) for stream, found in by_stream.items()},
        without=tuple(name for name, is_pure in zip(objects, pure, strict=True) if not is_pure),
    )
