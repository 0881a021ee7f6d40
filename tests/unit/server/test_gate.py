"""The gate: which header, what it says, and that expiry is looked at anew each time."""

import asyncio

import pytest

from calibrant.base.errors import Forbidden, StoreUnavailable, Unauthorized
from calibrant.server.gate import Gate
from calibrant.server.http import HttpRequest
from calibrant.server.keyring import Held
from calibrant.server.routes import OPEN, Route
from calibrant.telemetry.metrics import Metrics
from calibrant.types.key import Principal, digest_of

ID, SECRET = "a" * 12, "B1" * 24
KEY = f"sk-t0-{ID}-{SECRET}"
OTHER = f"sk-t0-{ID}-{'C' * 48}"


class Clock:
    now_ms = 1_800_000_000_000

    def wall_ms(self):
        return self.now_ms

    def monotonic(self):
        return 0.0


class Keys:
    def __init__(self, *, away=False, at_hand=False, **fields):
        self.away, self.at_hand = away, at_hand
        self.asked = []
        principal = Principal(ID, frozenset(["inference"]))
        self.held = Held(digest_of(SECRET), principal, fields.get("expires_at"), fields.get("disabled_at"))

    def known(self, public_id):
        return self.held if self.at_hand and public_id == ID else None

    async def find(self, public_id):
        self.asked.append(public_id)
        if self.away:
            raise StoreUnavailable("catalogue /secret/place: disk I/O error")
        return self.held if public_id == ID else None


async def handler(_):
    raise AssertionError


def route(*roles):
    return Route("POST", "/inference", handler, "A test's.", roles=frozenset(roles) or OPEN)


class Door:
    def __init__(self, **fields):
        self.keys, self.clock, self.metrics = Keys(**fields), Clock(), Metrics()
        self.gate = Gate(self.keys, self.clock, self.metrics)

    def check(self, needed=("inference",), **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(self.gate.check(route(*needed), HttpRequest("POST", "/inference", headers=named)))

    @property
    def refused(self):
        return {labels[0]: count for labels, count in self.metrics.figures().counters.get("auth_refused", [])}


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"authorization": f"Bearer  {KEY} "},
        {"x_api_key": KEY},
        {"api_key": KEY},
        {"authorization": "Basic dTpw", "x_api_key": KEY},
        {"authorization": f"Bearer {KEY}", "x_api_key": "not looked at"},
        {"x_api_key": KEY, "api_key": "not looked at"},
    ],
)
def test_where_a_key_may_stand(headers):
    assert Door().check(**headers).public_id == ID


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "missing"),
        ({"authorization": ""}, "scheme"),
        ({"authorization": KEY}, "scheme"),
        ({"authorization": "Bearer"}, "scheme"),
        ({"authorization": "Bearer nope", "x_api_key": KEY}, "malformed"),
        ({"authorization": f"Bearer {KEY}, Bearer {KEY}"}, "malformed"),
        ({"x_api_key": ""}, "malformed"),
        ({"authorization": f"Bearer {OTHER}"}, "unknown"),
        ({"api_key": f"sk-t0-{'z' * 12}-{SECRET}"}, "unknown"),
    ],
)
def test_what_is_no_key(headers, reason):
    door = Door()
    with pytest.raises(Unauthorized, match="^TensorZero authentication error: ") as error:
        door.check(**headers)
    assert error.value.reason == reason and door.refused == {reason: 1}
    assert SECRET not in error.value.message and "C" * 48 not in error.value.message
    assert bool(door.keys.asked) == (reason == "unknown")


def test_a_key_that_was_disabled_or_is_over_says_when():
    with pytest.raises(Unauthorized, match=r"was disabled at: 2027-01-15T08:00:00\.000Z$"):
        Door(disabled_at=1_800_000_000_000).check(x_api_key=KEY)
    door = Door(expires_at=1_800_000_000_500)
    assert door.check(x_api_key=KEY)
    # The answer about the key is the same; the time is not.
    door.clock.now_ms += 500
    with pytest.raises(Unauthorized, match=r"expired at: 2027-01-15T08:00:00\.500Z$"):
        door.check(x_api_key=KEY)


def test_who_has_another_key_learns_nothing_of_this_one():
    """Its state is told only to whoever has the whole of it."""
    messages = set()
    for fields in ({}, {"disabled_at": 1}, {"expires_at": 1}):
        with pytest.raises(Unauthorized) as error:
            Door(**fields).check(x_api_key=OTHER)
        messages.add(error.value.message)
    with pytest.raises(Unauthorized) as error:
        Door().check(x_api_key=f"sk-t0-{'z' * 12}-{SECRET}")
    assert messages == {error.value.message}


def test_an_open_route_asks_nobody_and_a_role_opens_its_own():
    door = Door()
    assert door.check(needed=()) is None and door.keys.asked == []
    assert door.check(needed=("inference", "read"), x_api_key=KEY)
    with pytest.raises(Forbidden, match="has the role inference; POST /inference wants admin or feedback"):
        door.check(needed=("feedback",), x_api_key=KEY)
    assert door.refused == {"role": 1}


def test_while_the_catalogue_is_away_nobody_enters_or_learns_where_it_is():
    door = Door(away=True)
    with pytest.raises(StoreUnavailable, match="^API keys cannot be checked now; try again$") as error:
        door.check(x_api_key=KEY)
    assert error.value.status == 503 and door.refused == {"unavailable": 1}


def known(door, needed=("inference",), **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return door.gate.known(route(*needed), HttpRequest("POST", "/inference", headers=named))


def test_a_key_at_hand_opens_without_a_wait():
    door = Door(at_hand=True)
    assert known(door, authorization=f"Bearer {KEY}").public_id == ID
    assert door.keys.asked == [] and door.refused == {}
    assert door.check(authorization=f"Bearer {KEY}").public_id == ID and door.keys.asked == []


@pytest.mark.parametrize(
    ("fields", "needed", "shown"),
    [
        ({}, ("inference",), {}),
        ({}, ("inference",), {"authorization": f"Bearer {OTHER}"}),
        ({}, ("inference",), {"authorization": f"Bearer sk-t0-{ID}x{SECRET}"}),
        ({}, ("inference",), {"authorization": f"Bearer {KEY}A"}),
        ({}, ("inference",), {"authorization": f"Bearer sk-t0-{ID}-"}),
        ({}, ("inference",), {"authorization": f"Bearer sk-t0-{ID}-{SECRET[:-1]}é"}),
        ({}, ("inference",), {"x_api_key": KEY}),
        ({}, ("admin",), {"authorization": f"Bearer {KEY}"}),
        ({}, (), {"authorization": f"Bearer {KEY}"}),
        ({"expires_at": 1}, ("inference",), {"authorization": f"Bearer {KEY}"}),
        ({"disabled_at": 1}, ("inference",), {"authorization": f"Bearer {KEY}"}),
        ({"at_hand": False}, ("inference",), {"authorization": f"Bearer {KEY}"}),
    ],
)
def test_whatever_else_is_looked_at_in_full(fields, needed, shown):
    assert known(Door(**{"at_hand": True, **fields}), needed, **shown) is None
