"""Retrieval: queries as codes, exact search over posting lists, search among features, and what makes up a score.

NumPy and FAISS, not torch: lists are memory-mapped and short, and a query touches k of them.
"""

from sparc_core.retrieval.explaining import Explained, activations_of, explain, explain_features
from sparc_core.retrieval.query import QueryCode, query_code, weighted_sum
from sparc_core.retrieval.ranking import Ranking, strongest
from sparc_core.retrieval.sparse_search import Measure, SparseSearch
from sparc_core.retrieval.vector_search import VectorSearch

__all__ = [
    "Explained",
    "Measure",
    "QueryCode",
    "Ranking",
    "SparseSearch",
    "VectorSearch",
    "activations_of",
    "explain",
    "explain_features",
    "query_code",
    "strongest",
    "weighted_sum",
]
