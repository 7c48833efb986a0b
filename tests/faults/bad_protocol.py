"""Bytes that are no HTTP, or HTTP that two readers could understand in two ways; and forms that are no forms.

The web server refuses the former before the application sees them: 400 in plain text, or a closed connection.
"""

import random
from collections.abc import Iterator

from tests.faults.raw_http import HOST, request

_BODY = b'{"query": [{"latent": 0}]}'
_SECOND = b"GET /api/v1/info HTTP/1.1\r\nHost: x\r\n\r\n"
# What a proxy before us and we might end at different places: the rest would be somebody else's request.
_LENGTHS = (
    ("Content-Length: 5", "Transfer-Encoding: chunked"),
    ("Transfer-Encoding: chunked", "Content-Length: 5"),
    ("Content-Length: 5", "Content-Length: 6"),
    ("Content-Length: 5", "Content-Length: 5"),
    ("Content-Length: 5, 5",),
    ("Content-Length: -5",),
    ("Content-Length: +5",),
    ("Content-Length: 0x5",),
    ("Content-Length: 5 5",),
    ("Content-Length: 5_0",),
    ("Content-Length: ",),
    ("Content-Length: " + "9" * 30,),
    ("Content-Length: \xb2",),
    ("Content-Length : 5",),
    ("Content-Length\x0b: 5",),
    ("Transfer-Encoding: xchunked",),
    ("Transfer-Encoding: chunked, identity",),
    ("Transfer-Encoding: chunked", "Transfer-Encoding: gzip"),
    ("Transfer-Encoding: \x0bchunked",),
    ("Transfer-Encoding : chunked",),
    ("Transfer-Encoding: chunked", "Content-Length: 0"),
)
_CHUNKS = (
    b"zz\r\n",
    b"-1\r\n",
    b"ffffffffffffffffff\r\n",
    b"5\nabcde\n0\n\n",
    b"0x5\r\nabcde\r\n0\r\n\r\n",
    b"5\r\nabcdeXX0\r\n\r\n",
    b"\r\n",
)
_HEADS = (
    *(b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1 HTTP/1.1\r\n\r\n", b"GET / HTTPS/1.1\r\n\r\n"),
    *(b"GET / http/1.1\r\n\r\n", b"get / HTTP/1.1\r\n\r\n", b"BREW /pot HTTP/1.1\r\n\r\n", b"\tGET / HTTP/1.1\r\n\r\n"),
    *(
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"GET /\x7f\x80\xff HTTP/1.1\r\n\r\n",
        b"GET \xc2\xb2 HTTP/1.1\r\n\r\n",
    ),
    *(b"GET / HTTP/1.1\r\nNo colon\r\n\r\n", b"GET / HTTP/1.1\r\n: empty\r\n\r\n", b"GET / HTTP/1.1\r\nA B: c\r\n\r\n"),
    *(b"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n", b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", b"GET / HTTP/1.1\r\n A: b\r\n\r\n"),
    *(
        b"GET / HTTP/1.1\r\n\xff\xfe: b\r\n\r\n",
        b"GET / HTTP/1.1\rHost: x\r\r",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    *(
        b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    *(
        b"GET nothing HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ),
    *(
        b"EHLO example.org\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\x00" * 500,
        b"\r\n" * 500 + b"x\r\n\r\n",
        b"A" * 100_000,
        b"HTTP/1.1 200 OK\r\n\r\n",
    ),
)
_BOUNDARIES = (
    *(
        "",
        "; boundary",
        "; boundary=",
        '; boundary=""',
        "; boundary=" + "b" * 400,
        "; boundary=\xff",
        '; boundary="a',
        "; boundary=other",
    ),
    *("; boundary=x; boundary=y", "; Boundary =x", ";;;boundary=x y", "; boundary=x\ty"),
)
# Names of codecs that are none, that are no text, or that fail in ways of their own.
_CHARSETS = (
    "nope",
    "hex",
    "base64",
    "rot13",
    "idna",
    "punycode",
    "utf-16",
    "utf-7",
    "undefined",
    "unicode_escape",
    "x" * 300,
    "\xff",
    "..",
    "mbcs",
)
_DISPOSITIONS = (
    *(
        "",
        "Content-Disposition: form-data",
        'Content-Disposition: form-data; name=""',
        'Content-Disposition: form-data; name="other"; filename="a"',
    ),
    *(
        'Content-Disposition: form-data; name="file"',
        'Content-Disposition: attachment; filename="a"',
        "Content-Disposition: ;;;=;",
    ),
    *(
        'Content-Disposition: form-data; name="file',
        "Content-Disposition",
        ": a",
        "Content-Disposition: form-data; name=file[]; filename=a",
    ),
    *(
        'Content-Disposition: form-data; name="f\xefle"; filename="a"',
        'Content-Disposition: form-data; name="' + "n" * 9000 + '"; filename="a"',
    ),
    *(
        'Content-Disposition: form-data; name="file\x00"; filename="a"',
        "Content-Disposition: form-data; name*=utf-8''file; filename=a",
    ),
)
_NAMES = (
    "../../etc/passwd",
    "a\x00.png",
    "\xff\xfe",
    "n" * 5000,
    "con",
    "%00",
    "a\\b",
    "'; drop table items; --",
    "",
    ".",
    "a.svg",
)


def smuggling(rng: random.Random) -> Iterator[bytes]:
    """Bodies of two lengths, or of none."""
    for lines in _LENGTHS:
        for path in ("/api/v1/retrieve", "/api/v1/info"):
            yield request("POST", path, "Content-Type: application/json", *lines) + b"0\r\n\r\nX" + _SECOND
    for chunk in _CHUNKS:
        yield request("POST", "/api/v1/retrieve", "Transfer-Encoding: chunked") + chunk + _SECOND


def garbage(rng: random.Random) -> Iterator[bytes]:
    """Heads that are none, other protocols, noise."""
    yield from _HEADS
    for _ in range(60):
        yield bytes(rng.randrange(256) for _ in range(rng.randrange(1, 400))) + b"\r\n\r\n"
    good = bytearray(request("GET", "/api/v1/info"))
    for _ in range(40):
        broken = good.copy()
        broken[rng.randrange(12, 30)] = rng.choice((0, 1, 10, 13, 11, 127))
        broken[rng.randrange(3)] = rng.choice(b"\x00\x80\xff(,")
        yield bytes(broken)


def cut_off(rng: random.Random) -> Iterator[bytes]:
    """Requests whose sender leaves in the middle of the head or the body."""
    whole = request("POST", "/api/v1/retrieve", "Content-Type: application/json", body=_BODY)
    head = whole.index(b"\r\n\r\n") + 4
    for length in sorted(rng.sample(range(1, head), 20)) + list(range(head, len(whole), 3)):
        yield whole[:length]
    upload = form(b"picture" * 40, 'Content-Disposition: form-data; name="file"; filename="a"')
    for length in sorted(rng.sample(range(120, len(upload) - 10), 20)):
        yield upload[:length]
    yield request("POST", "/api/v1/uploads", f"Content-Type: multipart/form-data; boundary={HOST}")[:-2]
    for latent in range(10):  # whole, but nobody waits for the refusal
        yield request(
            "POST", "/api/v1/heatmaps", "Content-Type: application/json", body=b'{"latents": [64, %d]}' % latent
        )


def broken_forms(rng: random.Random) -> Iterator[bytes]:
    """Forms without a boundary, with another, of unknown alphabets, of parts that are none."""
    for boundary in _BOUNDARIES:
        yield form(b"no picture", _DISPOSITIONS[3], f"multipart/form-data{boundary}")
        yield request("POST", "/api/v1/uploads", f"Content-Type: multipart/form-data{boundary}", body=b"")
    for charset in _CHARSETS:
        for file_name in ("a.png", "\xff\xfe\xc3"):
            disposition = f'Content-Disposition: form-data; name="file"; filename="{file_name}"'
            yield form(b"no picture", disposition, f"multipart/form-data; boundary=x; charset={charset}")
    for disposition in _DISPOSITIONS:
        yield form(b"no picture", disposition)
    for name in _NAMES:
        yield form(b"no picture", f'Content-Disposition: form-data; name="file"; filename="{name}"')
    for n_parts in (0, 2, 50, 1100):
        parts = b"".join(
            b'--x\r\nContent-Disposition: form-data; name="f%d"; filename="a"\r\n\r\na\r\n' % i for i in range(n_parts)
        )
        yield request(
            "POST", "/api/v1/uploads", "Content-Type: multipart/form-data; boundary=x", body=parts + b"--x--\r\n"
        )
        fields = b"".join(b'--x\r\nContent-Disposition: form-data; name="f%d"\r\n\r\na\r\n' % i for i in range(n_parts))
        yield request(
            "POST", "/api/v1/uploads", "Content-Type: multipart/form-data; boundary=x", body=fields + b"--x--\r\n"
        )
    whole = form(b"no picture", _DISPOSITIONS[4] + '; filename="a"')
    body = whole.partition(b"\r\n\r\n")[2]
    for _ in range(60):
        broken = bytearray(body)
        for _ in range(rng.randrange(1, 6)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        yield request("POST", "/api/v1/uploads", "Content-Type: multipart/form-data; boundary=x", body=bytes(broken))


def form(content: bytes, disposition: str, kind: str = "multipart/form-data; boundary=x") -> bytes:
    """An upload of one part."""
    head = f"--x\r\n{disposition}\r\n\r\n".encode("latin-1")
    return request("POST", "/api/v1/uploads", f"Content-Type: {kind}", body=head + content + b"\r\n--x--\r\n")
