"""Which host names are answered, and which pages may post: other sites' names and pages are not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from server.hosts import AllowedHosts, name_of
from server.middleware.access import is_foreign
from sparc_core.errors import InputError
from tests.server.small_app import small_client

PRIVATE = ["localhost", "127.0.0.1", "[::1]", "192.168.1.7", "gpubox", "a.localhost", "gpubox.local", "x.internal", ""]
PUBLIC = ["elsewhere.example", "localhost.elsewhere.example", "127.0.0.1.nip.io", "local.example", "elsewhere.example."]


@pytest.mark.parametrize("port", ["", ":8000"])
def test_without_keys_public_names_are_refused_until_they_are_allowed(port: str) -> None:
    usual, named, everything = (AllowedHosts(named, has_keys=False) for named in ("", "sparc.example.org", "*"))
    assert [host for host in PRIVATE if not usual.has(host + port)] == []
    assert [host for host in PUBLIC if usual.has(host + port)] == []
    assert not usual.has("sparc.example.org" + port)
    assert named.has("SPARC.Example.org" + port)
    assert [host for host in PUBLIC if named.has(host + port)] == []
    assert [host for host in PRIVATE + PUBLIC if not everything.has(host + port)] == []


def test_with_keys_any_name_will_do_unless_some_are_named() -> None:
    assert AllowedHosts("", has_keys=True).has("elsewhere.example")
    assert not AllowedHosts("sparc.example.org", has_keys=True).has("elsewhere.example")


@pytest.mark.parametrize("named", ["sparc.example.org:8000", "https://sparc.example.org", "*.example.org", "a b"])
def test_what_is_no_name_ends_the_start(named: str) -> None:
    with pytest.raises(InputError, match=r'setting allowed_hosts holds ".*": write names without port'):
        AllowedHosts(f"fine.example.org, {named}", has_keys=False)


@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_no_header_whatever_breaks_the_check(host: str) -> None:
    usual = AllowedHosts("", has_keys=False)
    assert usual.has(host) == usual.has(f" {host.upper()} ") or not host.isascii()


def test_a_rebound_name_reads_nothing(tmp_path: Path) -> None:
    client = small_client()
    for path in ("/api/v1/me", "/metrics", "/static/small_app.py"):
        answer = client.get(path, headers={"Host": "elsewhere.example:8000"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "unknown_host")
        assert "SPARC_ALLOWED_HOSTS" in answer.json()["error"]["message"]
    assert client.get("/healthz", headers={"Host": "probe.example"}).status_code == 200
    allowed = small_client(allowed_hosts="elsewhere.example")
    assert allowed.get("/api/v1/me", headers={"Host": "elsewhere.example:8000"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),  # a program
        ({"sec-fetch-site": "same-origin", "origin": "https://sparc.example"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),  # another port of this machine
        # Plain http beyond this machine: browsers send Origin alone.
        ({"origin": "http://gpubox:8000"}, False),
        ({"origin": "http://gpubox"}, False),
        ({"origin": "http://elsewhere.example"}, True),
        ({"origin": "http://gpubox.elsewhere.example:8000"}, True),
        ({"origin": "null"}, True),
        ({"origin": "http://["}, True),
    ],
)
def test_pages_of_other_sites(headers: dict[str, str], foreign: bool) -> None:
    assert is_foreign(Headers({"host": "gpubox:8000"} | headers)) == foreign
    answer = small_client().post("/api/v1/size", headers={"Host": "gpubox:8000"} | headers)
    assert answer.status_code == (403 if foreign else 200)


def test_names_of_hosts() -> None:
    named = {"[::1]:8000": "::1", "A.b:80": "a.b", "a.b.": "a.b", "": "", ":80": ""}
    assert {host: name_of(host) for host in named} == named
