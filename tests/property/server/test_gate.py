"""Whatever a header holds, the gate answers with its own error and lets in nobody but the holder of the key."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.clock import SystemClock
from calibrant.base.errors import Unauthorized
from calibrant.server.gate import Gate
from calibrant.server.http import HttpRequest
from calibrant.server.keyring import Held
from calibrant.server.routes import Route
from calibrant.telemetry.metrics import Metrics
from calibrant.types.key import Principal, digest_of, split_key

ID, SECRET = "Ab3" * 4, "xY9z" * 12
KEY = f"sk-t0-{ID}-{SECRET}"
PRINCIPAL = Principal(ID, frozenset(["read"]))


class Keys:
    def known(self, public_id):
        return None

    async def find(self, public_id):
        assert len(public_id) == 12 and public_id.isascii() and public_id.isalnum()
        return Held(digest_of(SECRET), PRINCIPAL, None, None) if public_id == ID else None


async def handler(_):
    raise AssertionError


GATE = Gate(Keys(), SystemClock(), Metrics())
ROUTE = Route("GET", "/metrics", handler, "A test's.", roles=frozenset(["read"]))
NAMES = st.sampled_from(["authorization", "x-api-key", "api-key", "cookie"])
# What a server hands on: one byte a character.
ODD = st.text(st.characters(max_codepoint=255), max_size=90)


@st.composite
def near_keys(draw):
    """A key with a few characters replaced, or cut, or doubled."""
    text = list(KEY)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text) - 1))
        text[at : at + 1] = draw(st.sampled_from(["", "a", "-", "é", text[at] * 2, "٣"]))
    return "".join(text)


VALUES = st.one_of(ODD, near_keys(), st.just(KEY))
HEADERS = st.dictionaries(NAMES, st.one_of(VALUES, st.one_of(VALUES).map("Bearer {}".format)), max_size=4)


@given(HEADERS)
def test_only_the_holder_enters(headers):
    shown = headers.get("authorization", "")
    bearer = shown[7:].strip() if shown[:7].lower() == "bearer " else None
    presented = bearer if bearer is not None else headers.get("x-api-key", headers.get("api-key"))
    try:
        principal = asyncio.run(GATE.check(ROUTE, HttpRequest("GET", "/metrics", headers=headers)))
    except Unauthorized as error:
        assert presented != KEY
        assert SECRET not in error.message
    else:
        assert principal == PRINCIPAL and presented == KEY


@given(st.one_of(near_keys(), ODD))
def test_a_split_key_is_put_together_again(text):
    parts = split_key(text)
    assert parts is None or f"sk-t0-{parts[0]}-{parts[1]}" == text
