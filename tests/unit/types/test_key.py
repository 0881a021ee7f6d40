"""What is a key, and what a list of names allows."""

import pytest

from calibrant.types.key import DEFAULT_ROLES, ApiKey, Grants, digest_of, split_key

PUBLIC, SECRET = "aB3" * 4, "Zz09" * 12


def test_a_key_has_two_parts():
    assert split_key(f"sk-t0-{PUBLIC}-{SECRET}") == (PUBLIC, SECRET)
    assert len(digest_of(SECRET)) == 32 and digest_of(SECRET) != digest_of(SECRET[::-1])


@pytest.mark.parametrize(
    "key",
    [
        "",
        "sk-t0-",
        f"sk-t1-{PUBLIC}-{SECRET}",
        f"SK-T0-{PUBLIC}-{SECRET}",
        f"sk-t0-{PUBLIC}{SECRET}-",
        f"sk-t0-{PUBLIC}-{SECRET[:-1]}",
        f"sk-t0-{PUBLIC}-{SECRET}a",
        f" sk-t0-{PUBLIC}-{SECRET[:-1]}",
        f"sk-t0-{PUBLIC[:-1]}-{SECRET}a",
        f"sk-t0-{PUBLIC[:-1]}--{SECRET[:-1]}a",
        f"sk-t0-{PUBLIC[:-1]}é-{SECRET}",
        f"sk-t0-{PUBLIC}-{SECRET[:-1]}\u0663",
        f"sk-t0-{PUBLIC}-{SECRET[:-1]}\0",
        f"sk-t0-{PUBLIC}-{SECRET[:-1]}*",
    ],
)
def test_what_is_no_key(key):
    assert split_key(key) is None


def test_lists_of_models():
    grants = Grants(models=("m", "openai::gpt-4o*", "anthropic::*"))
    for name in ("m", "openai::gpt-4o", "openai::gpt-4o-mini", "anthropic::x"):
        assert grants.model(name) and grants.direct(name)
    for name in ("M", "mm", "openai::gpt-4", "openai::responses::gpt-4o", "", "anthropic:"):
        assert not grants.model(name) and not grants.direct(name)
    assert grants.function("any")
    assert not Grants(models=()).model("m") and Grants(models=("*",)).direct("m")


def test_a_list_of_functions_alone_leaves_their_models_free_and_no_model_to_be_asked_directly():
    grants = Grants(functions=("f", "g*"))
    assert grants.function("f") and grants.function("go") and not grants.function("h")
    assert grants.model("any") and not grants.direct("any")
    assert Grants(functions=("tensorzero::default",)).direct("any")
    assert Grants(models=("m",), functions=("f",)).direct("m") and not Grants(models=("m",), functions=()).direct("n")


def test_who_uses_a_key():
    key = ApiKey(public_id=PUBLIC, created_at=1, updated_at=1)
    assert key.principal().grants is None and key.principal().roles == frozenset(DEFAULT_ROLES)
    assert ApiKey(public_id=PUBLIC, created_at=1, updated_at=1, models=()).principal().grants == Grants(())
