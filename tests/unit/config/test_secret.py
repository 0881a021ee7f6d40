import pickle

import pytest

from calibrant.base.errors import MissingCredential
from calibrant.config.load import default_config
from calibrant.config.schema import Credential
from calibrant.config.secret import Secret, Secrets

MODEL = '[models.m]\nrouting=["p"]\n[models.m.providers.p]\ntype="openai"\nmodel_name="x"\napi_key_location='


def test_a_secret_shows_nothing():
    secret = Secret("canary")
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r:>20}"):
        assert "canary" not in text
    assert secret == Secret("canary") and secret != Secret("other") and secret != "canary"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        hash(secret)


def test_static_credentials(tmp_path, loads):
    (tmp_path / "key").write_text(" from-file\n")
    environ = {"A": "from-env", "B": str(tmp_path / "key")}
    for location, expected in (("env::A", "from-env"), ("path::key", "from-file"), ("path_from_env::B", "from-file")):
        config = loads(f'{MODEL}"{location}"')
        secrets, problems = Secrets.resolve(config, environ)
        assert problems == ()
        assert secrets.get(config.models["m"].providers[0].credential, {}).reveal() == expected
        assert expected not in repr(secrets)


def test_all_missing_ones_are_named_at_once(loads):
    config = loads(
        f'{MODEL}{{default="env::A", fallback="path::nowhere"}}\n'
        '[models.n]\nrouting=["p"]\nproviders.p={type="groq",model_name="x"}\n'
    )
    secrets, problems = Secrets.resolve(config, {"A": ""})
    assert [problem.path for problem in problems] == ["models.m.providers.p", "models.n.providers.p"]
    assert "A is not set" in problems[0].problem and "nowhere" in problems[0].problem
    assert "GROQ_API_KEY" in str(problems[1])
    with pytest.raises(MissingCredential, match="GROQ_API_KEY"):
        secrets.get(config.models["n"].providers[0].credential, {})


def test_a_fallback_saves(loads):
    config = loads(f'{MODEL}{{default="env::A", fallback="env::B"}}')
    secrets, problems = Secrets.resolve(config, {"B": "b"})
    assert problems == () and secrets.get(config.models["m"].providers[0].credential, {}) == Secret("b")


def test_dynamic_credentials(loads):
    config = loads(f'{MODEL}{{default="dynamic::k", fallback="env::B"}}')
    credential = config.models["m"].providers[0].credential
    secrets, _ = Secrets.resolve(config, {"B": "b"})
    assert secrets.get(credential, {"k": "mine"}) == Secret("mine")
    assert secrets.get(credential, {}) == Secret("b")
    with pytest.raises(MissingCredential, match="'k'"):
        secrets.get(Credential("dynamic::k"), {"other": "x"})


def test_none():
    secrets, _ = Secrets.resolve(default_config(), {})
    assert secrets.get(Credential("none"), {}) is None


def test_shorthands_hear_of_it_when_they_are_called():
    secrets, problems = Secrets.resolve(default_config(), {"OPENAI_API_KEY": "x"})
    assert problems == () and secrets.get(Credential("env::OPENAI_API_KEY"), {}) == Secret("x")
    with pytest.raises(MissingCredential, match="MISTRAL_API_KEY is not set"):
        secrets.get(Credential("env::MISTRAL_API_KEY"), {})
