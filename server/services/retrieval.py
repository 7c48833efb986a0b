"""Explained retrieval: a sum of terms in, items out, each with the latents that make its score."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32

from server.request_context import step
from server.schemas import Contribution, Hit, Retrieval, RetrieveRequest, TermReading, Way
from server.services.filters import Filters
from server.services.indexes import Indexes
from server.services.latents import Latents
from server.services.query_terms import EncodedTerm, QueryTerms
from server.services.towers import Towers
from server.worker import Worker
from sparc_core.bundle import Bundle
from sparc_core.errors import InputError
from sparc_core.retrieval import (
    Explained,
    QueryCode,
    Ranking,
    activations_of,
    explain,
    explain_features,
    strongest,
    weighted_sum,
)

_DIGITS = 6
_NO_LENGTH = 1e-6  # of a sum of unit vectors that cancel out


class _Search(NamedTuple):
    """A request made ready to search."""

    request: RetrieveRequest
    target: str
    query: QueryCode
    terms: Sequence[EncodedTerm]
    without: Sequence[int]
    allowed: Bool[np.ndarray, " n"] | None


class _Found(NamedTuple):
    """Hits, and what makes up each one's score."""

    ranking: Ranking
    explained: list[Explained]


class Retriever:
    """Finds items of one bundle. Terms are encoded on the device worker, searches run on the search worker."""

    def __init__(
        self,
        bundle: Bundle,
        towers: Towers,
        latents: Latents,
        indexes: Indexes,
        terms: QueryTerms,
        filters: Filters,
        search: Worker,
    ) -> None:
        """Args: what the answers are made of."""
        self._bundle, self._towers, self._latents, self._indexes = bundle, towers, latents, indexes
        self._terms, self._filters, self._search = terms, filters, search
        self._n_latents = bundle.manifest.sparc.n_latents

    async def retrieve(self, request: RetrieveRequest) -> Retrieval:
        """Answer a retrieval.

        Raises:
            NotFoundError: No such item, upload, stream, latent or label.
            InputError: A stream cannot read its term, spaces do not fit, or nothing is left of the query.
            BusyError: There is too much to do.
        """
        begun = time.perf_counter()
        streams = self._terms.streams(request)
        target = self._terms.target(request, streams)
        self._terms.check(request, streams, target)
        with step("encode"):
            terms = await asyncio.gather(
                *(self._terms.encode(term, stream) for term, stream in zip(request.query, streams, strict=True))
            )
        encoded = time.perf_counter()
        retrieval = await self._search.run(partial(self._answer, request, target, streams, terms))
        milliseconds = {"encode": 1000 * (encoded - begun), "search": 1000 * (time.perf_counter() - encoded)}
        return retrieval.model_copy(update={"milliseconds": milliseconds})

    def scores(self, query: QueryCode, target: str) -> Float32[np.ndarray, " n"]:
        """The cosine of a query with every item's code in a stream, by row."""
        return self._indexes.codes(target).scores(query)

    def _answer(
        self, request: RetrieveRequest, target: str, streams: Sequence[str | None], terms: Sequence[EncodedTerm]
    ) -> Retrieval:
        with step("filter"):
            allowed = self._filters.allowed(request.where, target)
        query = _sum_of_codes(request, terms)
        if not len(query.latents):
            raise InputError("the query activates no latent, or its terms cancel out: say it in other terms")
        without = [term.row for term in terms if term.row is not None and request.leave_out_query]
        search = _Search(request, target, query, terms, without, allowed)
        with step("search"):
            found = self._find(search)
        with step("hits"):
            hits = self._hits(found)
        return Retrieval(
            way=request.way,
            measure=request.measure,
            target=target,
            terms=[TermReading(stream=stream, words=term.words) for stream, term in zip(streams, terms, strict=True)],
            query_code=self._latents.named(query),
            n_allowed=len(self._bundle.items) if allowed is None else int(allowed.sum()),
            exact=request.way is Way.latent or self._bundle.manifest.stream(target).vectors == "exact",
            recall=self._recall(request.way, target, streams),
            hits=hits,
            milliseconds={},
        )

    def _find(self, search: _Search) -> _Found:
        if search.request.way is Way.latent:
            return self._by_latents(search)
        if search.request.way is Way.reconstruction:
            return self._by_reconstruction(search)
        return self._by_backbone(search)

    def _by_latents(self, search: _Search) -> _Found:
        request, query = search.request, search.query
        scores = self._indexes.codes(search.target).scores(query, request.measure.value)
        ranking = strongest(scores, request.limit, search.without, search.allowed)
        codes = self._bundle.codes(search.target, "local")
        return _Found(ranking, explain(query, codes, ranking.rows, self._n_latents))

    def _by_reconstruction(self, search: _Search) -> _Found:
        decoder, query = self._towers.decoder(search.target), search.query
        parts = query.activations[:, None] * decoder.dictionary[query.latents]
        return self._near(search, parts.sum(0) + decoder.pre_bias, query, parts)

    def _by_backbone(self, search: _Search) -> _Found:
        """The features alone decide; the latents of the terms' codes say what SPARC makes of it."""
        vector = np.zeros(self._bundle.manifest.stream(search.target).d, np.float32)
        parts = np.zeros((self._n_latents, len(vector)), np.float32)
        weights = [term.weight for term in search.request.query]
        for term, weight in zip(search.terms, weights, strict=True):
            assert term.stream is not None, "latents were refused"
            vector += weight * term.features
            directions = self._towers.decoder(term.stream).dictionary[term.code.latents]
            parts[term.code.latents] += weight * term.code.activations[:, None] * directions
        query = weighted_sum([term.code for term in search.terms], weights)
        return self._near(search, vector, query, parts[query.latents])

    def _near(
        self, search: _Search, vector: Float32[np.ndarray, " d"], query: QueryCode, parts: Float32[np.ndarray, "k d"]
    ) -> _Found:
        """Items whose features have the largest positive cosine with a vector that these parts make up."""
        norm = float(np.linalg.norm(vector))
        if norm < _NO_LENGTH:
            raise InputError("the query's terms cancel out: say it in other terms")
        index = self._indexes.features(search.target)
        found = index.search(vector / norm, search.request.limit, search.without, search.allowed)
        ranking = Ranking(found.rows[found.scores > 0], found.scores[found.scores > 0])
        codes = self._bundle.codes(search.target, "local")
        active = activations_of(query.latents, codes, ranking.rows, self._n_latents)
        vectors = index.vectors(ranking.rows)
        return _Found(ranking, explain_features(query, parts, norm, vectors, ranking.scores, active))

    def _hits(self, found: _Found) -> list[Hit]:
        names = self._latents.names
        items = self._bundle.items.brief(found.ranking.rows)
        return [
            Hit(
                item_id=item.item_id,
                score=score,
                caption=item.caption,
                labels=item.labels,
                shared=[
                    Contribution(
                        latent=latent,
                        name=names[latent],
                        share=share,
                        query_activation=query_activation,
                        target_activation=target_activation,
                    )
                    for latent, share, query_activation, target_activation in zip(
                        *(part.tolist() for part in why[:4]), strict=True
                    )
                ],
                rest=round(why.rest, _DIGITS),
            )
            for item, score, why in zip(items, found.ranking.scores.tolist(), found.explained, strict=True)
        ]

    def _recall(self, way: Way, target: str, streams: Sequence[str | None]) -> float | None:
        """The recall of the target's approximate index for such queries, as it was measured when it was built."""
        if way is Way.latent:
            return None
        via = "reconstructions" if way is Way.reconstruction else "features"
        metrics = self._bundle.manifest.metrics
        names = (f"vector_recall_at_10.{via}.{stream}.{target}" for stream in streams)
        return min((metrics[name] for name in names if name in metrics), default=None)


def _sum_of_codes(request: RetrieveRequest, terms: Sequence[EncodedTerm]) -> QueryCode:
    """In a sum every code counts with unit norm, a latent with its weight; one code alone keeps its activations."""
    is_sum = len(terms) > 1
    weights = [
        asked.weight / (term.code.norm or 1) if is_sum and asked.latent is None else asked.weight
        for term, asked in zip(terms, request.query, strict=True)
    ]
    return weighted_sum([term.code for term in terms], weights)
