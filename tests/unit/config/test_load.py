from pathlib import Path

import pytest

from calibrant.base.errors import ConfigError
from calibrant.config.load import Overrides, default_config, find_config, load, read_environment
from calibrant.config.schema import Auth, Credential, Experiment, Gateway, Retries, Timeouts
from calibrant.types.request import Params
from calibrant.types.tool import Specific

LARGE = Path(__file__).parents[2] / "fixtures" / "config" / "large" / "tensorzero.toml"


@pytest.fixture(scope="module")
def large():
    return load(str(LARGE), environ={})


def test_defaults():
    config = default_config()
    assert config.gateway == Gateway()
    assert config.functions == config.models == {} and config.observability and config.warnings == ()


def test_gateway(large):
    assert (large.gateway.host, large.gateway.port, large.gateway.base_path) == ("0.0.0.0", 3000, "/llm")
    assert large.gateway.overhead_buckets == (0.001, 0.005, 0.01)
    assert large.gateway.unstable_error_json and large.gateway.disable_feedback_target_validation
    assert large.spool.durability == "disk" and large.spool.max_bytes == 2 * 2**30
    assert large.spool.segment_bytes == 16_000_000 and large.retention.payload_days == 0
    assert large.record.redact == "my.package:hook"


def test_models(large):
    main, local = large.models["fast"].providers
    assert main.credential == Credential("dynamic::openai", "env::OPENAI_API_KEY")
    assert main.timeouts == Timeouts(total_ms=10_000) and main.discard_unknown_chunks
    assert large.models["fast"].timeouts == Timeouts(30_000, 2000, 60_000)
    assert (local.type, local.credential) == ("vllm", Credential("none"))
    tgi = large.models["team::tgi"].providers[0]
    assert tgi.model_name == "" and tgi.credential.default == f"path::{LARGE.parent / 'keys/tgi'}"
    groq = large.models["groq"].providers[0]
    assert groq.options == {"reasoning_format": "parsed"} and groq.credential == Credential("env::MY_GROQ_KEY")
    assert large.provider_defaults == {"groq": Credential("env::MY_GROQ_KEY")}


def test_functions(large):
    extract = large.functions["extract"]
    a = extract.variants["a"]
    assert a.templates["user"].startswith("Extract from") and a.legacy_roles == {"user"}
    assert a.params == Params(temperature=0, max_tokens=200, stop_sequences=("END",))
    assert a.retries == Retries(2, 5.0) and a.json_mode == "strict"
    assert extract.variants["b"].legacy_roles == frozenset()
    assert extract.experiment == Experiment({"a": 0.9, "b": 0.1}, ("b",))
    assert extract.namespaces == {"beta": Experiment({"b": 1.0})}
    assert extract.schemas["user"]["required"] == ["text"] and extract.output_schema["required"] == ["names"]
    assert extract.payloads == "metadata"
    chat = large.functions["chat"]
    assert chat.tool_choice == Specific("get_weather") and chat.tools["weather"].name == "get_weather"
    assert chat.experiment == Experiment({"plain": 1.0})
    assert chat.variants["team"].namespace == "team" and chat.output_schema is None


def test_only_what_is_included_is_read(large):
    assert set(large.includes) == {"tone.minijinja", "role.minijinja"}


def test_one_warning_for_each_missing_feature(large):
    said = "\n".join(large.warnings)
    for word in ("OTLP", "rate_limiting.rules", "evaluators"):
        assert word in said
    assert "embedding_models" not in said and "optimizers" in said and "evaluations" in said
    assert "analytics" not in said
    assert said.count("OTLP") == 1 and "(and 2 more)" in said


def test_no_secret_in_the_canonical_form(large):
    assert b"canary" not in large.canonical


def test_files_merge_and_resolve_their_own_paths(tmp_path):
    for folder, text in (("a", "from a"), ("b/deep", "from b")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "t.txt").write_text(text)
        (tmp_path / folder / "c.toml").write_text(
            f"[functions.f]\n{'type = ' + chr(34) + 'chat' + chr(34) if folder == 'a' else ''}\n"
            f'[functions.f.variants.{folder[0]}]\ntype="chat_completion"\nmodel="openai::x"\ntemplates.user.path="t.txt"\n'
        )
    config = load(str(tmp_path / "**" / "*.toml"), environ={})
    variants = config.functions["f"].variants
    assert variants["a"].templates == {"user": "from a"} and variants["b"].templates == {"user": "from b"}
    assert config.functions["f"].experiment == Experiment({"a": 1.0, "b": 1.0})


def test_a_key_defined_twice_names_both_files(tmp_path):
    (tmp_path / "a.toml").write_text("[gateway]\nport = 1\n")
    (tmp_path / "b.toml").write_text("[gateway]\nport = 1\n")
    with pytest.raises(ConfigError) as caught:
        load(str(tmp_path / "*.toml"), environ={})
    assert caught.value.message == (
        f"{tmp_path / 'b.toml'}: gateway.port: is defined twice, here and in {tmp_path / 'a.toml'}; keep one of the two"
    )


def test_no_file(tmp_path):
    with pytest.raises(ConfigError, match="no such configuration file"):
        load(str(tmp_path / "*.toml"), environ={})


@pytest.mark.parametrize(("content", "said"), [(b"a = ", "is not TOML"), (b"\xff", "is not UTF-8")])
def test_broken_files(tmp_path, content, said):
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        load(str(tmp_path / "a.toml"), environ={})


def test_precedence(loads):
    text = "[gateway]\nport = 1\nworkers = 2\nca_bundle = 'own.pem'"
    assert loads(text).gateway.port == 1
    assert loads(text).gateway.ca_bundle.endswith("/own.pem")
    environ = {"TENSORZERO_GATEWAY_BIND_ADDRESS": "[::]:2", "CALIBRANT_WORKERS": "3", "CALIBRANT_CA_BUNDLE": "x.pem"}
    gateway = loads(text, environ).gateway
    assert (gateway.host, gateway.port, gateway.workers, gateway.ca_bundle) == ("::", 2, 3, "x.pem")


def test_the_command_line_wins(tmp_path):
    config = load(None, environ={"CALIBRANT_WORKERS": "3"}, overrides=Overrides(host="::1", port=0, workers=4))
    assert (config.gateway.host, config.gateway.port, config.gateway.workers) == ("::1", 0, 4)
    assert config.hash == default_config().hash


@pytest.mark.parametrize(
    ("text", "auth"),
    [
        ("", Auth(False, 1000)),
        ("[gateway.auth]\nenabled = true", Auth(True, 1000)),
        ("[gateway.auth]\nenabled = true\ncache.ttl_ms = 5", Auth(True, 5)),
        ("[gateway.auth]\nenabled = true\ncache.enabled = false\ncache.ttl_ms = 5", Auth(True, 0)),
    ],
)
def test_keys_are_asked_for_where_that_is_said(loads, text, auth):
    config = loads(text)
    assert config.gateway.auth == auth and config.warnings == ()


def test_find_config(tmp_path):
    assert find_config(tmp_path) is None
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "tensorzero.toml").touch()
    assert find_config(tmp_path) == tmp_path / "config" / "tensorzero.toml"
    (tmp_path / "calibrant.toml").touch()
    assert find_config(tmp_path) == tmp_path / "calibrant.toml"


def test_the_environment_is_copied(monkeypatch):
    monkeypatch.setenv("CALIBRANT_WORKERS", "7")
    assert read_environment()["CALIBRANT_WORKERS"] == "7"


def test_dynamic_includes_read_the_folder(tmp_path, loads):
    (tmp_path / "t.txt").write_text("{% include which %}")
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "one.txt").write_text("1")
    (tmp_path / "inc" / ".hidden").write_text("2")
    config = loads(
        '[gateway.template_filesystem_access]\nbase_path = "inc"\n[functions.f]\ntype="chat"\n'
        '[functions.f.variants.v]\ntype="chat_completion"\nmodel="openai::x"\ntemplates.user.path="t.txt"'
    )
    assert config.includes == {"one.txt": "1"}


def test_weights(loads):
    variants = "".join(
        f'[functions.f.variants.{name}]\ntype="chat_completion"\nmodel="openai::x"\n{weight}\n'
        for name, weight in (("a", "weight=3"), ("b", "weight=0"), ("c", ""), ("d", "weight=1.5"))
    )
    config = loads('[functions.f]\ntype="chat"\n' + variants)
    assert config.functions["f"].experiment == Experiment({"a": 3.0, "d": 1.5}, ("b",))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('type="uniform"', Experiment({"a": 1.0, "b": 1.0})),
        ('type="uniform"\nfallback_variants=["b"]', Experiment({}, ("b",))),
        ('type="uniform"\ncandidate_variants=["a"]', Experiment({"a": 1.0})),
        ('type="static_weights"\ncandidate_variants={a=2}', Experiment({"a": 2.0})),
        ('type="static"\ncandidate_variants=["b"]\nfallback_variants=["a"]', Experiment({"b": 1.0}, ("a",))),
    ],
)
def test_experiments(loads, written, expected):
    variants = "".join(
        f'[functions.f.variants.{name}]\ntype="chat_completion"\nmodel="openai::x"\n' for name in ("a", "b")
    )
    config = loads(f'[functions.f]\ntype="chat"\n{variants}[functions.f.experimentation]\n{written}')
    assert config.functions["f"].experiment == expected


@pytest.mark.parametrize(("ours", "days"), [("", 90), ("[retention]\nmetadata_days = 400\n", 400)])
def test_an_age_of_metadata_by_the_name_that_tensorzero_has_for_it(tmp_path, ours, days):
    path = tmp_path / "tensorzero.toml"
    path.write_text(f"{ours}[postgres]\ninference_metadata_retention_days = 90\n")
    config = load(str(path), environ={})
    assert (config.retention.metadata_days, config.warnings) == (days, ())
