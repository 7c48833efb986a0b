"""The table of the API's operations: one entry for each that OpenAPI lists, and no other."""

from typing import Any

from pydantic import TypeAdapter

from server.client.answers import CSV, LATEX, WEBP, LineReader, file_answer, json_answer
from server.client.call import Operation
from server.schemas import (
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
    LatentItems,
    LatentItemsQuery,
    LatentPage,
    LatentQuery,
    LatentSearch,
    LatentSearchRequest,
    MismatchPage,
    MismatchQuery,
    Reloaded,
    ReloadRequest,
    Retrieval,
    RetrieveRequest,
    Table,
    Upload,
)

INFO = Operation("GET", "/info", json_answer(TypeAdapter(Info)))
LABELS = Operation("GET", "/labels", json_answer(TypeAdapter(list[Label])))
EVALUATION = Operation("GET", "/evaluation", json_answer(TypeAdapter(Evaluation)))
EVALUATION_TABLES = Operation("GET", "/evaluation/tables", json_answer(TypeAdapter(list[Table])))
EVALUATION_TABLE = Operation("GET", "/evaluation/tables/{name}", json_answer(TypeAdapter(Table)))
EVALUATION_CSV = Operation("GET", "/evaluation/tables/{name}/csv", file_answer(CSV))
EVALUATION_LATEX = Operation("GET", "/evaluation/tables/{name}/latex", file_answer(LATEX))
LATENTS = Operation("GET", "/latents", json_answer(TypeAdapter(LatentPage)), LatentQuery)
LATENT_SEARCH = Operation("POST", "/latents/search", json_answer(TypeAdapter(LatentSearch)), body=LatentSearchRequest)
MISMATCHES = Operation("GET", "/latents/mismatches", json_answer(TypeAdapter(MismatchPage)), MismatchQuery)
LATENT = Operation("GET", "/latents/{latent_id}", json_answer(TypeAdapter(Latent)))
LATENT_ITEMS = Operation("GET", "/latents/{latent_id}/items", json_answer(TypeAdapter(LatentItems)), LatentItemsQuery)
ITEMS = Operation("GET", "/items", json_answer(TypeAdapter(ItemPage)), ItemQuery)
ITEM = Operation("GET", "/items/{item_id}", json_answer(TypeAdapter(Item)))
IMAGE = Operation("GET", "/items/{item_id}/image", file_answer(WEBP), ImageQuery)
UPLOADS = Operation("POST", "/uploads", json_answer(TypeAdapter(Upload)), file="file")
UPLOAD_IMAGE = Operation("GET", "/uploads/{upload_id}/image", file_answer(WEBP), ImageQuery)
ENCODE = Operation("POST", "/encode", json_answer(TypeAdapter(Encoding)), body=EncodeRequest)
RETRIEVE = Operation("POST", "/retrieve", json_answer(TypeAdapter(Retrieval)), body=RetrieveRequest)
HEATMAPS = Operation("POST", "/heatmaps", LineReader, body=HeatmapRequest)
RELOAD = Operation("POST", "/admin/reload", json_answer(TypeAdapter(Reloaded)), body=ReloadRequest)

OPERATIONS: tuple[Operation[Any], ...] = (
    INFO,
    LABELS,
    EVALUATION,
    EVALUATION_TABLES,
    EVALUATION_TABLE,
    EVALUATION_CSV,
    EVALUATION_LATEX,
    LATENTS,
    LATENT_SEARCH,
    MISMATCHES,
    LATENT,
    LATENT_ITEMS,
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
