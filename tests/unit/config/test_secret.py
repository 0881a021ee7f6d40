import pickle

import pytest
from msgspec.structs import replace
from tests.support.clouds import ManualClock

from calibrant.base.errors import MissingCredential
from calibrant.config.load import default_config
from calibrant.config.schema import AwsLocations, Credential, Model, Provider
from calibrant.config.secret import AwsKeys, Secret, Secrets

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


def test_a_secret_is_struck_out_however_it_was_written():
    secret = Secret("a+b/c=")
    for form in (b"a+b/c=", rb"a+b\/c=", b"a%2Bb%2Fc%3D"):
        assert secret.strike(b"<" + form + b">" + form) == b"<***>***"
    assert Secret("").strike(b"x") == b"x" and Secret("\ud800x"[1:]).strike(b"x") == b"***"


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


def located(*credentials, type_="openai"):
    """A configuration of one model, `m0` and so on, for each credential."""
    models = {
        f"m{i}": Model(f"m{i}", (Provider("p", type_, "x", credential=credential),))
        for i, credential in enumerate(credentials)
    }
    return replace(default_config(), models=models)


def test_keys_of_aws_one_by_one():
    static = Credential("none", aws=AwsLocations("env::ID", "env::KEY"))
    session = Credential("none", aws=AwsLocations("env::ID", "dynamic::key", "dynamic::session"))
    secrets, problems = Secrets.resolve(located(static, session), {"ID": "id", "KEY": "key"})
    assert problems == ()
    assert secrets.get(static, {}) == AwsKeys(Secret("id"), Secret("key"))
    dynamic = {"key": "k", "session": "s"}
    assert secrets.get(session, dynamic) == AwsKeys(Secret("id"), Secret("k"), Secret("s"))
    with pytest.raises(MissingCredential) as caught:
        secrets.get(session, {"key": "canary"})
    assert "no 'session' in its" in caught.value.message and "canary" not in caught.value.message


def test_each_missing_part_of_a_key_is_named():
    credential = Credential("none", aws=AwsLocations("env::ID", "env::KEY", "env::SESSION"))
    secrets, (problem,) = Secrets.resolve(located(credential), {"KEY": "key"})
    assert "ID is not set and" in problem.problem and "SESSION is not set" in problem.problem
    assert "KEY" not in problem.problem
    with pytest.raises(MissingCredential, match="ID is not set and the environment variable SESSION"):
        secrets.get(credential, {})


def test_what_has_to_be_fetched_is_a_source_and_no_problem():
    credentials = [
        Credential("env::BEARER", "sdk::aws"),
        Credential("sdk::aws"),
        Credential("gcp::env::ACCOUNT"),
        Credential("dynamic::t", "sdk::gcp"),
    ]
    secrets, problems = Secrets.resolve(located(*credentials), {"ACCOUNT": "{}"})
    assert problems == ()
    assert [(source.location, source.kind) for source in secrets.sources] == [
        ("sdk::aws", "aws"),
        ("gcp::env::ACCOUNT", "gcp"),
        ("sdk::gcp", "gcp"),
    ]
    assert secrets.sources[1].key == Secret("{}") and "{}" not in repr(secrets.sources)
    with pytest.raises(MissingCredential, match="BEARER is not set and nothing has been fetched from 'sdk::aws' yet"):
        secrets.get(credentials[0], {})
    assert secrets.get(credentials[3], {"t": "mine"}) == Secret("mine")


def test_a_fallback_is_not_fetched_where_the_default_is_there():
    secrets, _ = Secrets.resolve(
        located(Credential("env::BEARER", "sdk::aws"), Credential("none", "sdk::gcp")), {"BEARER": "b"}
    )
    assert secrets.sources == ()
    assert secrets.get(Credential("env::BEARER", "sdk::aws"), {}) == Secret("b")


def test_an_account_that_is_missing_is_a_problem():
    credential = Credential("gcp::env::ACCOUNT")
    secrets, (problem,) = Secrets.resolve(located(credential), {})
    assert problem.path == "models.m0.providers.p" and "ACCOUNT is not set" in problem.problem
    assert secrets.sources == ()
    with pytest.raises(MissingCredential, match="ACCOUNT is not set"):
        secrets.get(credential, {})


def test_what_was_fetched_holds_until_it_expires():
    clock = ManualClock()
    credential = Credential("sdk::gcp", "env::B")
    secrets, _ = Secrets.resolve(located(credential), {}, clock)
    secrets.renew("sdk::gcp", Secret("one"), clock.now + 10)
    assert secrets.get(credential, {}) == Secret("one") and "one" not in repr(secrets)
    secrets.fail("sdk::gcp", "away")
    clock.now += 9.9
    assert secrets.get(credential, {}) == Secret("one")
    clock.now += 0.1
    with pytest.raises(MissingCredential, match="has expired and was not renewed: away and the environment variable B"):
        secrets.get(credential, {})
    secrets.renew("sdk::gcp", Secret("two"), None)
    clock.now += 1e9
    assert secrets.get(credential, {}) == Secret("two")


def test_what_a_source_lacks_is_a_problem_until_it_has_it():
    secrets, _ = Secrets.resolve(located(Credential("sdk::aws"), Credential("sdk::aws", "dynamic::k")), {})
    secrets.lack("sdk::aws", "nobody has any")
    (problem,) = secrets.problems()
    assert problem.path == "models.m0.providers.p" and problem.problem == "nobody has any"
    secrets.renew("sdk::aws", AwsKeys(Secret("i"), Secret("s")), None)
    assert secrets.problems() == ()


def test_keys_of_aws_show_nothing_and_are_struck_out():
    keys = AwsKeys(Secret("canary-id"), Secret("canary-key"), Secret("canary-session"))
    assert "canary" not in repr(keys) and "canary" not in f"{keys}"
    said = b"canary-id said canary-key and canary-session"
    assert keys.strike(said) == b"*** said *** and ***"
