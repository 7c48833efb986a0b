"""The table of the API's operations: one entry for each that OpenAPI lists, and no other."""

from typing import Any

from pydantic import TypeAdapter

from server.client.answers import CSV, LATEX, WEBP, LineReader, file_answer, json_answer
from server.client.call import Operation
from server.schemas import (
    CoactiveLatents,
    CoactiveQuery,
    ComparisonQuery,
    EncodeRequest,
    Encoding,
    Evaluation,
    HeatmapRequest,
    ImageQuery,
    Info,
    Item,
    ItemPage,
    ItemQuery,
    Label,
    Latent,
    LatentCounts,
    LatentFilter,
    LatentItems,
    LatentItemsQuery,
    LatentMap,
    LatentMapQuery,
    LatentPage,
    LatentPairs,
    LatentPairsQuery,
    LatentQuery,
    LatentSearch,
    LatentSearchRequest,
    LatentTest,
    LatentTestRequest,
    MismatchPage,
    MismatchQuery,
    OfBundle,
    Reloaded,
    ReloadRequest,
    Retrieval,
    RetrieveRequest,
    Table,
    Upload,
)

INFO = Operation("GET", "/info", json_answer(TypeAdapter(Info)), OfBundle)
LABELS = Operation("GET", "/labels", json_answer(TypeAdapter(list[Label])), OfBundle)
EVALUATION = Operation("GET", "/evaluation", json_answer(TypeAdapter(Evaluation)), OfBundle)
EVALUATION_TABLES = Operation("GET", "/evaluation/tables", json_answer(TypeAdapter(list[Table])), OfBundle)
EVALUATION_TABLE = Operation("GET", "/evaluation/tables/{name}", json_answer(TypeAdapter(Table)), OfBundle)
EVALUATION_CSV = Operation("GET", "/evaluation/tables/{name}/csv", file_answer(CSV), OfBundle)
EVALUATION_LATEX = Operation("GET", "/evaluation/tables/{name}/latex", file_answer(LATEX), OfBundle)
COMPARISON = Operation("GET", "/evaluation/comparison", json_answer(TypeAdapter(list[Table])), ComparisonQuery)
COMPARISON_CSV = Operation("GET", "/evaluation/comparison/{name}/csv", file_answer(CSV), ComparisonQuery)
LATENTS = Operation("GET", "/latents", json_answer(TypeAdapter(LatentPage)), LatentQuery)
LATENT_SEARCH = Operation(
    "POST", "/latents/search", json_answer(TypeAdapter(LatentSearch)), OfBundle, body=LatentSearchRequest
)
MISMATCHES = Operation("GET", "/latents/mismatches", json_answer(TypeAdapter(MismatchPage)), MismatchQuery)
LATENT_COUNTS = Operation("GET", "/latents/counts", json_answer(TypeAdapter(LatentCounts)), LatentFilter)
LATENT_MAP = Operation("GET", "/latents/map", json_answer(TypeAdapter(LatentMap)), LatentMapQuery)
LATENT_PAIRS = Operation("GET", "/latents/pairs", json_answer(TypeAdapter(LatentPairs)), LatentPairsQuery)
LATENT = Operation("GET", "/latents/{latent_id}", json_answer(TypeAdapter(Latent)), OfBundle)
LATENT_ITEMS = Operation("GET", "/latents/{latent_id}/items", json_answer(TypeAdapter(LatentItems)), LatentItemsQuery)
COACTIVE = Operation("GET", "/latents/{latent_id}/coactive", json_answer(TypeAdapter(CoactiveLatents)), CoactiveQuery)
ACTIVATION = Operation(
    "POST", "/latents/{latent_id}/activation", json_answer(TypeAdapter(LatentTest)), OfBundle, body=LatentTestRequest
)
ITEMS = Operation("GET", "/items", json_answer(TypeAdapter(ItemPage)), ItemQuery)
ITEM = Operation("GET", "/items/{item_id}", json_answer(TypeAdapter(Item)), OfBundle)
IMAGE = Operation("GET", "/items/{item_id}/image", file_answer(WEBP), ImageQuery)
UPLOADS = Operation("POST", "/uploads", json_answer(TypeAdapter(Upload)), file="file")
UPLOAD_IMAGE = Operation("GET", "/uploads/{upload_id}/image", file_answer(WEBP), ImageQuery)
ENCODE = Operation("POST", "/encode", json_answer(TypeAdapter(Encoding)), OfBundle, body=EncodeRequest)
RETRIEVE = Operation("POST", "/retrieve", json_answer(TypeAdapter(Retrieval)), OfBundle, body=RetrieveRequest)
HEATMAPS = Operation("POST", "/heatmaps", LineReader, OfBundle, body=HeatmapRequest)
RELOAD = Operation("POST", "/admin/reload", json_answer(TypeAdapter(Reloaded)), body=ReloadRequest)

OPERATIONS: tuple[Operation[Any], ...] = (
    INFO,
    LABELS,
    EVALUATION,
    EVALUATION_TABLES,
    EVALUATION_TABLE,
    EVALUATION_CSV,
    EVALUATION_LATEX,
    COMPARISON,
    COMPARISON_CSV,
    LATENTS,
    LATENT_SEARCH,
    MISMATCHES,
    LATENT_COUNTS,
    LATENT_MAP,
    LATENT_PAIRS,
    LATENT,
    LATENT_ITEMS,
    COACTIVE,
    ACTIVATION,
    ITEMS,
    ITEM,
    IMAGE,
    UPLOADS,
    UPLOAD_IMAGE,
    ENCODE,
    RETRIEVE,
    HEATMAPS,
    RELOAD,
)
