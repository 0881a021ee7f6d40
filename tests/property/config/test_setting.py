"""Where a credential may be sent, for any text that a caller writes."""

from urllib.parse import urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st

from calibrant.config import shorthand
from calibrant.config.load import default_config
from calibrant.config.setting import fault_of_setting
from calibrant.providers.vertex import vertex_base

PIECES = [
    "https://",
    "http://",
    "x.azure.com",
    "@",
    ":",
    "//",
    "/",
    "\\",
    "?",
    "#",
    "[::1]",
    "%2e",
    "\n",
    "\t",
    " ",
    ".",
    "é",
]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
PATHS = st.lists(
    st.sampled_from(
        ["projects", "locations", "publishers", "google", "models", "endpoints", "p", "l", "..", "x@y", "a.b", "", "\n"]
    ),
    max_size=9,
).map("/".join)


@given(TEXTS)
@settings(max_examples=200)
def test_an_address_that_passes_names_one_host_and_nothing_else(text):
    if fault_of_setting("endpoint", text) is None:
        parts = urlsplit(text)
        assert parts.scheme in ("http", "https") and parts.hostname
        assert "@" not in parts.netloc and "\\" not in parts.netloc and not parts.query and not parts.fragment
        assert text.isprintable() and parts.netloc.isascii()


@given(TEXTS)
@settings(max_examples=200)
def test_a_region_that_passes_is_one_label_of_a_host(text):
    if fault_of_setting("region", text) is None:
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and text


@given(st.one_of(TEXTS, PATHS, PATHS.map("projects/p/locations/{}".format)))
@settings(max_examples=300)
def test_a_shorthand_that_passes_leads_to_google(text):
    provider = None
    if shorthand.fault_of_shorthand("gcp_vertex_gemini", text) is None:
        provider = shorthand.shorthand_provider("gcp_vertex_gemini", text, default_config())
    if provider is not None:
        host = urlsplit(vertex_base(provider)).netloc
        assert host.endswith(("aiplatform.googleapis.com", ".rep.googleapis.com"))
