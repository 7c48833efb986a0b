"""Addresses, methods and heads that must be refused.

Whatever HTTP allows (a huge header, a strange Host, an unusual method) stands on a request that asks for something that
is not there, so that there is one right answer to all of them: a refusal.
"""

import random
from collections.abc import Iterator

from tests.faults.raw_http import request

_NOWHERE = "/api/v1/latents/99999999"

_GET_PARAMETERS: dict[str, tuple[str, ...]] = {
    "/api/v1/latents": (
        *("limit=0", "limit=-1", "limit=201", "limit=1e3", "limit=", "limit=%31%30%30%30", f"limit={'9' * 5000}"),
        *("start=-1", f"start={2**31}", "start=NaN", "cursor=x", "cursor=%00", "cursor=-", "cursor=%ff-1", "start=0.5"),
        *(
            "min_density=nan",
            "min_density=inf",
            "max_purity=-0.1",
            "min_alignment=1e309",
            "max_density=%20",
            "min_purity",
        ),
        *("sort=beauty", "sort=id%00", "alive=1", f"query={'q' * 201}", f"label={'l' * 201}", "active_in=nobody"),
        *("silent_in=%ED%A0%80", "ids=-1", f"ids={2**31}", "ids=1.5", "lasso=0,0", "lasso=0,0;1,1;nan,0"),
        *("lasso=0,0;1,1;9e9,0", "lasso=;;", "bundle=nobody", "bundle=../..", f"bundle={'b' * 17}", "limt=3", "%00=1"),
        *("&".join(f"ids={i}" for i in range(201)), "lasso=" + ";".join(["0,0"] * 65), "[]=1", "limit[]=3", "a=b&a=b"),
    ),
    "/api/v1/latents/0/items": ("", "stream=", "stream=nobody", "stream=dino%00", "stream=dino&interval=best"),
    "/api/v1/latents/0/coactive": ("limit=0", "limit=101", "stream=nobody", "limit=-9e99"),
    "/api/v1/latents/map": ("stream=nobody", "lasso=1", "ids=x", "min_density=2"),
    "/api/v1/latents/pairs": ("", "first=dino", "first=dino&second=nobody", f"first=dino&second={'s' * 81}"),
    "/api/v1/latents/mismatches": (
        "",
        "strong=dino&weak=dino",
        "strong=dino&weak=x",
        "strong=dino&weak=clip_txt&at_most=2",
    ),
    "/api/v1/items": (
        "limit=0",
        "cursor=0",
        "label=nobody",
        "split=nobody",
        f"caption={'c' * 201}",
        "cursor=%F0%9F%92%A9",
    ),
    "/api/v1/items/s000000": ("size=3", "bundle=", "bundle=%00"),
    "/api/v1/items/s000000/image": ("size=0", "size=-16", "size=1025", "size=1e2", "size=nan", f"size={'1' * 4400}"),
    "/api/v1/uploads/none/image": ("size=224", "size=x", "bundle=%ff"),
    "/latents/0": ("interval=best", "seed=-1", f"seed={2**31}", "heat=perhaps", f"try={'t' * 501}"),
    "/": ("view=list", "sort=beauty", "start=-1", "cursor=x", "min_purity=nan", "active_in=nobody"),
    "/compare": ("by=colour", "order=up", "start=-1", "start=1e9", f"other={'o' * 81}"),
    "/search": (f"q={'q' * 501}", "scope=all", f"upload={'u' * 65}"),
    "/find": ("by=luck", f"text={'t' * 501}"),
    "/mismatches": ("strong=nobody", "kind=odd", "at_most=nan", "limit=0&start=-3"),
    "/caption": (f"q={'q' * 501}", "item=nobody", "item=%00", "item=%ED%A0%80"),
}
_PATHS = (
    *("/api/v1/latents/-1", "/api/v1/latents/0x10", "/api/v1/latents/%30%3F", "/api/v1/latents/1e1", "/latents/-1"),
    *(
        "/api/v1/latents/" + "9" * 5000,
        "/latents/" + "9" * 5000,
        "/latents/99999999999",
        "/latents/nan",
        "/latents/%00",
    ),
    *(
        "/api/v1/latents/%D9%A3",
        "/latents/%C2%B2",
        "/api/v1/items/%00",
        "/items/%00",
        "/items/",
        "/api/v1/items//image",
    ),
    *(
        "/static/%00",
        "/static/../../pyproject.toml",
        "/static/%2e%2e/%2e%2e/pyproject.toml",
        "/static/..%2f..%2fREADME.md",
    ),
    *("/static/....//....//README.md", "/static/..%5c..%5cREADME.md", "/static//etc/passwd", "/static/css%00/x.css"),
    *("/static/vendor/../../../../../../etc/passwd", "/static/" + "a" * 300, "/static/" + "a/" * 3000, "/static/css/"),
    *(
        "/static/%ff%fe",
        "/static/css/tokens.css/x",
        "/static/\\\\server\\share",
        "/static/%252e%252e/x",
        "/static/~root",
    ),
    *(
        "/api/v1/items/..%2f..%2fmanifest.json/image",
        "/api/v1/items/../../manifest.json",
        "/api/v1/items/%2Fetc%2Fpasswd/image",
    ),
    *("/api/v1/uploads/..%2f..%2fx/image", "/api/v1/uploads/%00/image", "/api/v1/uploads/" + "u" * 20_000 + "/image"),
    *(
        "/api/v1/evaluation/tables/..%2fmanifest",
        "/api/v1/evaluation/tables/%00/csv",
        "/api/v1/evaluation/tables/%22/latex",
    ),
    *(
        "/api/v1/evaluation/comparison/x/csv?other=none",
        "/api/v1/evaluation/comparison",
        "/api/v1",
        "/api/",
        "/api/v2/info",
    ),
    *("/%", "/%zz", "/%u0000", "/%ff%ff", "/%c0%ae%c0%ae/etc/passwd", "/%e2%80%ae", "/%0d%0aSet-Cookie:a=b"),
    *(
        "/" + "x" * 40_000,
        "/" + "%41" * 10_000,
        "/" + "/".join("abc" for _ in range(5000)),
        "//evil.example/%2e%2e",
        "/;a=b",
    ),
    *(
        "/.env",
        "/.git/config",
        "/wp-login.php",
        "/cgi-bin/test.sh",
        "/server-status",
        "/latents/0/../../etc/passwd",
        "/a?" * 999,
    ),
)
_METHODS = (
    "PUT",
    "DELETE",
    "PATCH",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "MKCOL",
    "LOCK",
    "SEARCH",
    "REPORT",
    "PURGE",
    "HEAD",
)
_HOSTS = (
    None,
    "",
    "[",
    "[::1",
    "]",
    "a b",
    "localhost:99999999",
    "x" * 5000,
    "a/b?c#d",
    "\xff",
    "user:pass@h",
    "%00",
    ":",
    "[v1.x]",
)
_HEADERS = (
    *(
        f"X-Deadline-Ms: {value}"
        for value in ("0", "-1", "1.5", "1e3", "", "nan", "9" * 400, "+5", "0x10", "\xb2", "5 5", "1,2")
    ),
    *(f"X-Large: {'v' * size}" for size in (1_000, 8_000, 30_000, 60_000)),
    *(
        f"Accept: {value}"
        for value in ("text/html;q=" + "9" * 999, "*/*;" * 2000, "image/png, text/html;;;,,,", "\xff/\xfe")
    ),
    *(f"If-None-Match: {value}" for value in ('W/"', "*", '"' * 5000, "\xe4\xf6\xfc", 'W/"x",' * 3000)),
    *(f"X-Request-Id: {value}" for value in ("../../x", "a b", "\xff", "z" * 5000, "%0d%0aX: y", "<script>")),
    *(f"X-Forwarded-For: {value}" for value in ("::::", "256.1.1.1", "," * 3000, "a" * 9000)),
    *(f"Cookie: {value}" for value in (";=;=;=", "a=" + "b" * 20_000, "\x80\x81")),
    *(f"Range: {value}" for value in ("bytes=9-1", "bytes=-", "lines=1-2", "bytes=" + "0-1," * 3000)),
    *(f"Accept-Encoding: {value}" for value in ("gzip;q=x", "br;" * 3000, "identity;q=0, *;q=0")),
    *(f"Authorization: {value}" for value in ("Basic ====", "Bearer", "Basic " + "A" * 9000, "Digest \xff")),
    *(f"Expect: {value}" for value in ("100-continue", "a-miracle")),
    *(f"Sec-Fetch-Site: {value}" for value in ("cross-site", "\xff")),
    *("Connection: Upgrade\r\nUpgrade: h2c", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"),
)
_CONTENT_TYPES = (
    *("text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", "image/png", "json"),
    *("application", "/", ";", "\xff", "application/json+x", "application/vnd.api", "multipart/form-data; boundary=x"),
    *(
        'application/x; charset="',
        "text/html; charset=utf-7",
        "application/octet-stream",
        "x" * 9000,
        "application /json",
    ),
)


def wrong_parameters(rng: random.Random) -> Iterator[bytes]:
    """Queries with values out of range, misspelt or unreadable, for programs and for browsers."""
    for path, queries in _GET_PARAMETERS.items():
        for query in queries:
            yield request("GET", f"{path}?{query}")
            yield request("GET", f"{path}?{query}", "Accept: application/json, text/html;q=0.1", f"X-N: {rng.random()}")


def wrong_paths(rng: random.Random) -> Iterator[bytes]:
    """Paths out of the served folders, of bytes that are no text, overlong, of unknown ids."""
    for path in _PATHS:
        yield request("GET", path)
        yield request(rng.choice(("POST", "PUT", "DELETE")), path, body=b"")


def wrong_heads(rng: random.Random) -> Iterator[bytes]:
    """Methods, hosts, headers and types of content that nobody sends, on addresses where nothing is."""
    for method in _METHODS:
        for path in ("/api/v1/info", "/api/v1/retrieve", "/", "/static/css/tokens.css", "/readyz", _NOWHERE):
            if method != "HEAD" or path in ("/api/v1/retrieve", _NOWHERE):
                yield request(method, path)
    for host in _HOSTS:
        for path, accept in ((_NOWHERE, "*/*"), ("/nothing", "text/html"), ("/latents/99999999", "text/html")):
            yield request("GET", path, f"Accept: {accept}", host=host)
    for header in _HEADERS:
        yield request("GET", _NOWHERE, header)
    for origin in ("http://[", "null", "", "\xff", "http://evil.example", "//", "http://a:b:c", "x" * 5000):
        yield request("POST", "/api/v1/retrieve", f"Origin: {origin}", "Content-Type: application/json", body=b"{}")
    many = [f"X-{i}: {rng.random()}" for i in range(2000)]
    yield request("GET", _NOWHERE, *many[:50])
    yield request("GET", _NOWHERE, *many)
    for kind in _CONTENT_TYPES:
        yield request("POST", "/api/v1/retrieve", f"Content-Type: {kind}", body=b"a cat")
        yield request("POST", "/api/v1/uploads", f"Content-Type: {kind}", body=b"a cat")
