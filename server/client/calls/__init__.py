"""Every question that the API answers, written once: a function for each, which makes a `Call` or `Pages`.

A function's keywords are its schema's fields with the same defaults (tests/server/test_client.py compares them); its
docstring is that of both clients' methods. Nothing is sent here.
"""

from server.client.calls.bundle import info, labels, ready, reload
from server.client.calls.evaluation import (
    evaluation,
    evaluation_comparison,
    evaluation_comparison_csv,
    evaluation_csv,
    evaluation_latex,
    evaluation_table,
    evaluation_tables,
)
from server.client.calls.items import encode, every_item, image, item, items, upload, upload_image
from server.client.calls.latent_maps import latent_counts, latent_map, latent_pairs
from server.client.calls.latents import (
    coactive_latents,
    every_latent,
    every_mismatch,
    latent,
    latent_activation,
    latent_items,
    latents,
    mismatches,
    search_latents,
)
from server.client.calls.queries import heatmap_array, heatmap_png, heatmaps, retrieve

__all__ = [
    "coactive_latents",
    "encode",
    "evaluation",
    "evaluation_comparison",
    "evaluation_comparison_csv",
    "evaluation_csv",
    "evaluation_latex",
    "evaluation_table",
    "evaluation_tables",
    "every_item",
    "every_latent",
    "every_mismatch",
    "heatmap_array",
    "heatmap_png",
    "heatmaps",
    "image",
    "info",
    "item",
    "items",
    "labels",
    "latent",
    "latent_activation",
    "latent_counts",
    "latent_items",
    "latent_map",
    "latent_pairs",
    "latents",
    "mismatches",
    "ready",
    "reload",
    "retrieve",
    "search_latents",
    "upload",
    "upload_image",
]
