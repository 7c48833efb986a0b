"""Every page of the explorer, and the states of it that look different: for tests that hold for all of them."""

import json
from typing import Any, NamedTuple

LATENTS = "#status:has-text('latent')"
OPEN_ALL = "() => document.querySelectorAll('main details, #data details').forEach(one => (one.open = true))"
AT = "2026-05-01T12:00:00Z"
STARRED = [
    {
        "kind": "latent",
        "id": "2",
        "name": "a latent",
        "tags": ["odd", "sky"],
        "note": "A note.\nOf two lines.",
        "at": AT,
    },
    {"kind": "item", "id": "s000001", "name": "an item", "tags": ["sky"], "note": "", "at": AT},
]
STAR = "([id, entries]) => localStorage.setItem(`sparc-collection:${id}`, JSON.stringify(entries))"


class Visit(NamedTuple):
    """A page in one of its states."""

    name: str
    address: str  # {beside}: id of the bundle beside
    ready: str  # a selector of what is there once it has answered
    act: str = ""  # a script that opens what is folded
    starred: bool = False  # whether the browser keeps a collection

    def go(self, page: Any, until: str = "load") -> None:
        """Open it, wait until it has answered, and bring it into its state.

        Args:
            page: Of the browser.
            until: As Playwright's `wait_until`: pages load when the pictures are there that are not lazy.
        """
        info = page.request.get("/api/v1/info").json()
        if self.starred:
            page.add_init_script(f"({STAR})({json.dumps([info['bundle_id'], STARRED])})")
        page.goto(self.address.replace("{beside}", info["beside"][0]["bundle_id"]), wait_until=until)
        page.wait_for_selector(self.ready)
        if self.act:
            page.evaluate(self.act)


VISITS = [
    Visit("gallery", "/", "#latents > li"),
    Visit("gallery-filters", "/?min_purity=0.1&active_in=dino", "#latents > li"),
    Visit("gallery-nothing", "/?query=nothing+like+it", LATENTS),
    Visit("gallery-map", "/?view=map", "canvas"),
    Visit("find-meaning", "/find?text=a+cat", LATENTS),
    Visit("find-picture", "/find?by=picture&item=s000001&region=0.1,0.1,0.6,0.6", LATENTS),
    Visit("find-examples", "/find?by=examples&item=s000001&item=s000002", LATENTS),
    Visit("mismatches", "/mismatches?kind=different", LATENTS),
    Visit("latent", "/latents/3", "#columns img"),
    Visit("latent-open", "/latents/3?heat=1&try=a+cat&beside={beside}", "#beside img", OPEN_ALL),
    Visit("item", "/items/s000003", "h1", OPEN_ALL),
    Visit("caption-start", "/caption", "#primer"),
    Visit("caption", "/caption?q=a+cat", "#status:has-text('pictures in')", OPEN_ALL),
    Visit("retrieve-start", "/retrieve", "#primer, #examples"),
    Visit("retrieve", "/retrieve?term=text:a+cat&term=-0.5+latent:3", "#hits .hit", OPEN_ALL),
    Visit("retrieve-columns", "/retrieve?term=text:a+cat&way=all", "#status:has-text('3 ways answered')"),
    Visit(
        "retrieve-why",
        "/retrieve?term=text:a+cat",
        "#hits [data-why]",
        "() => document.querySelector('[data-why]').click()",
    ),
    Visit("compare-bundles", "/compare?by=bundles", "h1"),
    Visit("compare-streams", "/compare?by=streams", "h1"),
    Visit("evaluation", "/evaluation", "h1", OPEN_ALL),
    Visit("collection-empty", "/collection", "#empty h2"),
    Visit("collection-filled", "/collection", ".entry img", starred=True),
    Visit("tour", "/tour", ".tour-ring"),
    Visit("error", "/latents/99999", "h1"),
    Visit("search", "/evaluation", "h1", "() => document.querySelector('#search-box').focus()"),
    Visit("keys", "/evaluation", "h1", "() => document.querySelector('#open-keys').click()"),
]
BY_NAME = {visit.name: visit for visit in VISITS}
