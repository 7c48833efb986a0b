"""What a crowd of people and programs asks of a service: visits, made up from one seed, that seldom repeat.

A *visit* is a few requests that one client sends one after another: a page and what its scripts then ask for, a picture
sent and used, a call of a program. Texts, pictures and filters vary without end, so that caches turn over.
"""

import hashlib
import io
import random
from collections.abc import Callable
from urllib.parse import quote

from PIL import Image, ImageDraw

from benchmarks.soak_requests import Ask, Known, get, page, picture_form, post

_SORTS = ("alignment", "profile_alignment", "density", "purity", "name_quality", "id")
_INTERVALS = ("top", "high", "mid", "low", "random", "near_miss")
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_FEWEST_MS, _MOST_MS = 1, 150  # of deadlines, and of the patience of those who leave


class Visitor:
    """One client's visits."""

    def __init__(self, known: Known, seed: int, number: int = 0) -> None:
        """Args: what it knows, what its choices follow from, and which of the crowd it is: first visits differ."""
        self._known, self._rng = known, random.Random(seed)
        self._first: int | None = number
        self._visits: dict[Callable[[], list[Ask]], int] = {
            self._gallery: 10,
            self._latent: 12,
            self._item: 6,
            self._caption: 4,
            self._retrieval: 12,
            self._search: 8,
            self._finding: 4,
            self._reading_on: 4,
            self._files: 5,
            self._program: 20,
            self._upload: 4,
            self._heatmap_file: 3,
            self._hurry: 4,
            self._leaving: 4,
            self._unchanged: 6,
            self._operator: 1,
        }

    def visit(self) -> list[Ask]:
        """The next one."""
        visits, first, self._first = list(self._visits), self._first, None
        if first is not None:
            return visits[first % len(visits)]()
        return self._rng.choices(visits, list(self._visits.values()))[0]()

    def pause_s(self, mean_s: float) -> float:
        """How long the visitor thinks before the next one."""
        return min(self._rng.expovariate(1 / mean_s), 5 * mean_s)

    def _gallery(self) -> list[Ask]:
        filters = self._filter()
        view = self._rng.choice((None, None, "map"))
        drawn = get("latents", "/latents/map" if view else "/latents", **filters, **({} if view else self._place()))
        return [
            page("/", view=view, sort=self._rng.choice(_SORTS), **filters),
            drawn,
            get("latents", "/latents/counts", **filters),
            *self._pictures(4),
        ]

    def _latent(self) -> list[Ask]:
        latent, stream = self._number(), self._rng.choice(self._known.streams)
        wanted = {"interval": self._rng.choice(_INTERVALS), "seed": self._rng.randrange(1000)}
        return [
            page(f"/latents/{latent}", **wanted),
            get("latents", f"/latents/{latent}/items", stream=stream, limit=self._rng.randrange(1, 60), **wanted),
            get("latents", f"/latents/{latent}/coactive", limit=8),
            *self._pictures(3),
        ]

    def _item(self) -> list[Ask]:
        item = self._rng.choice(self._known.items)
        return [page(f"/items/{quote(item)}"), get("items", f"/items/{quote(item, safe='')}"), *self._pictures(1)]

    def _caption(self) -> list[Ask]:
        body = {"caption": self._text(), "n_items": self._rng.randrange(1, 4), "streams": [self._image_stream()]}
        if self._rng.random() < 0.1:
            body |= {"n_items": 1, "trust": True}
        return [page("/caption", q=body["caption"]), post("heatmaps", "/heatmaps", body), *self._pictures(2)]

    def _retrieval(self) -> list[Ask]:
        body = self._query()
        text = next((term["text"] for term in body["query"] if "text" in term), None)
        return [
            page("/retrieve", term=f"text:{text}" if text else None),
            post("retrieve", "/retrieve", body),
            *self._pictures(4),
        ]

    def _search(self) -> list[Ask]:
        text = self._text()
        scope = self._rng.choice(("latents", "images", "captions"))
        return [
            page("/search", (303,), q=text, scope=scope),
            page("/find", text=text),
            post("search", "/latents/search", {"text": text}),
        ]

    def _finding(self) -> list[Ask]:
        left, top = self._rng.random() * 0.5, self._rng.random() * 0.5
        region = {"left": left, "top": top, "right": left + 0.4, "bottom": top + 0.4}
        body = self._rng.choice(
            (
                {"item_id": self._rng.choice(self._known.items), "region": region},
                {"item_ids": self._rng.sample(self._known.items, 3), "stream": self._image_stream()},
            )
        )
        return [page("/find", by="examples"), post("search", "/latents/search", body)]

    def _reading_on(self) -> list[Ask]:
        """Pages about the whole bundle."""
        first, second = self._known.streams[0], self._known.streams[-1]
        return [
            self._rng.choice(
                (
                    page("/compare"),
                    page("/compare", by="streams", first=first, second=second),
                    page("/evaluation"),
                    page("/mismatches", strong=first, weak=second),
                    page("/collection"),
                    page("/tour", (303,)),
                    page("/latents/random", (303,)),
                    page(f"/latents/{self._known.n_latents + self._rng.randrange(99)}", (404,)),
                )
            ),
            get("evaluation", "/evaluation/tables"),
            get("evaluation", f"/evaluation/tables/{self._rng.choice(self._known.tables)}/csv"),
        ]

    def _files(self) -> list[Ask]:
        return [Ask("file", "GET", f"/static/{path}") for path in self._rng.sample(self._known.files, 4)]

    def _program(self) -> list[Ask]:
        rng, latent = self._rng, self._number()
        first, second = rng.sample(self._known.streams, 2)
        which = {"bundle": rng.choice(self._known.bundle_ids)}
        return [
            rng.choice(
                (
                    get("latents", "/latents", **self._filter(), **self._place(), **which),
                    get("latents", f"/latents/{latent}", **which),
                    get("latents", "/latents/pairs", first=first, second=second),
                    get("latents", "/latents/mismatches", strong=first, weak=second, limit=rng.randrange(1, 50)),
                    get("items", "/items", caption=rng.choice(self._known.words), limit=rng.randrange(1, 100)),
                    get("items", "/items", label=rng.choice(self._known.labels), **which),
                    post("retrieve", "/retrieve", self._query()),
                    post("retrieve", "/retrieve", self._query()),
                    post("encode", "/encode", {"text": self._text()}),
                    post("encode", f"/latents/{latent}/activation", {"text": self._text()}),
                    post("encode", "/encode", {"item_id": rng.choice(self._known.items)}),
                )
            )
        ]

    def _upload(self) -> list[Ask]:
        content = self._drawing()
        upload_id = hashlib.sha256(content).hexdigest()[:24]
        term = {"query": [{"upload_id": upload_id}], "limit": 10, "target": self._rng.choice(self._known.streams)}
        heatmap = {"caption": self._text(), "upload_id": upload_id, "streams": [self._image_stream()]}
        # Others may have pushed it out by then.
        return [
            picture_form(content),
            get("picture", f"/uploads/{upload_id}/image", size=self._size())._replace(expected=(200, 404)),
            post("retrieve", "/retrieve", term)._replace(expected=(200, 404)),
            post("heatmaps", "/heatmaps", heatmap)._replace(expected=(200, 404)),
        ]

    def _heatmap_file(self) -> list[Ask]:
        accept = self._rng.choice(("image/png", "application/octet-stream"))
        body = {
            "caption": self._text(),
            "item_ids": [self._rng.choice(self._known.items)],
            "streams": [self._image_stream()],
        }
        return [post("heatmaps", "/heatmaps", body, ("Accept", accept))]

    def _hurry(self) -> list[Ask]:
        limit = ("X-Deadline-Ms", str(self._rng.randrange(_FEWEST_MS, _MOST_MS)))
        return [one._replace(kind="hurried", headers=(*one.headers, limit)) for one in self._work()]

    def _leaving(self) -> list[Ask]:
        patience_s = self._rng.randrange(_FEWEST_MS, _MOST_MS) / 1000
        return [one._replace(kind="left", leaves_after_s=patience_s) for one in self._work()]

    def _work(self) -> list[Ask]:
        """Something that takes a while."""
        heatmaps = {"caption": self._text(), "n_items": 4}
        return [
            self._rng.choice(
                (post("", "/heatmaps", heatmaps), post("", "/retrieve", self._query()), page("/"), self._pictures(1)[0])
            )
        ]

    def _unchanged(self) -> list[Ask]:
        asked = (
            get("unchanged", f"/latents/{self._number()}"),
            get("unchanged", "/latents/map"),
            get("unchanged", "/info"),
        )
        return [self._rng.choice((*asked, self._files()[0]._replace(kind="unchanged")))._replace(again=True)]

    def _operator(self) -> list[Ask]:
        return [Ask("metrics", "GET", path) for path in ("/metrics", "/healthz", "/readyz")]

    def _query(self) -> dict[str, object]:
        rng = self._rng
        terms: list[dict[str, object]] = [
            {"text": self._text()},
            {"item_id": rng.choice(self._known.items)},
            {"latent": self._number(), "weight": round(rng.uniform(-1, 1), 2) or 0.5},
        ]
        body: dict[str, object] = {
            "query": rng.sample(terms, rng.randrange(1, 4)),
            "target": rng.choice(self._known.streams),
            "limit": rng.randrange(1, 50),
        }
        if rng.random() < 0.2:
            body["way"] = "reconstruction"
        if rng.random() < 0.3:
            above = {"latent": self._number(), "above": round(rng.random() * 0.1, 3)}
            body["where"] = rng.choice(
                ({"labels": [rng.choice(self._known.labels)]}, {"split": "test"}, {"latents": [above]})
            )
        return body

    def _filter(self) -> dict[str, object]:
        some = {
            "query": self._rng.choice(self._known.words),
            "min_density": round(self._rng.random() * 0.01, 4),
            "min_purity": round(self._rng.random(), 2),
            "active_in": self._rng.choice(self._known.streams),
        }
        return {name: value for name, value in some.items() if self._rng.random() < 0.3}

    def _place(self) -> dict[str, object]:
        return {"start": self._rng.randrange(self._known.n_latents), "limit": self._rng.randrange(1, 60)}

    def _pictures(self, n: int) -> list[Ask]:
        items = self._rng.sample(self._known.items, n)
        bundle = self._known.bundle_ids[0]
        return [
            get("picture", f"/items/{quote(item, safe='')}/image", size=self._size(), bundle=bundle) for item in items
        ]

    def _size(self) -> int:
        return self._rng.choice((64, 96, 112, 160, 224, self._rng.randrange(16, 320)))

    def _number(self) -> int:
        return self._rng.randrange(self._known.n_latents)

    def _image_stream(self) -> str:
        return self._rng.choice(self._known.image_streams)

    def _text(self) -> str:
        words = self._rng.sample(self._known.words, self._rng.randrange(1, 6))
        return f"a {' '.join(words)} {self._rng.randrange(10**6)}"

    def _drawing(self) -> bytes:
        """A picture of a few shapes, of any size and format."""
        rng = self._rng
        width, height = rng.randrange(40, 400), rng.randrange(40, 400)
        picture = Image.new("RGB", (width, height), _colour(rng))
        draw = ImageDraw.Draw(picture)
        for _ in range(rng.randrange(2, 8)):
            left, top = rng.randrange(width), rng.randrange(height)
            draw.ellipse((left, top, left + rng.randrange(5, 90), top + rng.randrange(5, 90)), _colour(rng))
        out = io.BytesIO()
        picture.save(out, rng.choice(_FORMATS))
        return out.getvalue()


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)
