import pytest
from tests.support.engine import function, model

GOOD = 'metrics.good = { type = "boolean", optimize = "max", level = "inference" }\n' + model() + function()


@pytest.fixture
def config(tmp_path):
    def _config(text, name="calibrant.toml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return _config


def test_a_good_configuration_is_summed_up(run, config):
    config(GOOD)
    status, out, err = run("check")
    assert (status, err) == (0, "")
    assert "is fine: 1 functions, 1 models, 1 metrics, 0 tools; hash " in out.replace("\n", " ")


def test_without_a_configuration_the_built_in_one_is_fine(run):
    status, out, _ = run("check")
    assert status == 0
    assert "the built-in configuration is fine" in out


def test_every_mistake_is_said_at_once_with_its_place(run, config):
    config(
        '[functions.f]\ntype = "chat"\nodd = 1\n'
        'variants.v = { type = "chat_completion", model = "nope" }\n[modells.x]\n'
    )
    status, out, err = run("check")
    assert (status, out) == (2, "")
    assert "functions.f.odd" in err
    assert "functions.f.variants.v.model" in err
    assert "modells" in err
    assert err.count("calibrant.toml: ") == 3


def test_a_template_that_does_not_compile_is_a_mistake(run, config):
    config("{% if %}", "t.minijinja")
    config(
        model() + function('variants.v = { type = "chat_completion", model = "m", user_template = "t.minijinja" }\n')
    )
    status, _, err = run("check")
    assert status == 2
    assert "does not compile" in err


def test_a_missing_key_is_a_mistake(run, config, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    config(model(key="env::NO_SUCH_KEY") + function())
    status, _, err = run("check")
    assert status == 2
    assert "NO_SUCH_KEY" in err
    monkeypatch.setenv("NO_SUCH_KEY", "s3cret")
    status, out, err = run("check")
    assert status == 0
    assert "s3cret" not in out + err


def test_a_warning_is_no_mistake(run, config):
    config(model() + function() + "[gateway]\nobservability.async_writes = true\n")
    status, out, _ = run("check")
    assert status == 0
    assert "warning: " in out


def test_where_the_configuration_is_found(run, config, monkeypatch):
    config(model("other") + model() + function(), "config/tensorzero.toml")
    assert "2 models" in run("check")[1].replace("\n", " ")
    config(model() + function())
    assert "1 models" in run("check")[1].replace("\n", " ")
    environment = config("", "empty.toml")
    monkeypatch.setenv("TENSORZERO_CONFIG", str(environment))
    assert "0 models" in run("check")[1].replace("\n", " ")
    monkeypatch.setenv("CALIBRANT_CONFIG", "config/*.toml")
    assert "2 models" in run("check")[1].replace("\n", " ")
    assert "0 models" in run("check", "--config-file", environment)[1].replace("\n", " ")


def test_credentials_and_settings_are_looked_at_without_asking_anybody(run, config, monkeypatch):
    monkeypatch.setenv("ACCOUNT", "{}")
    provider = 'type = "gcp_vertex_anthropic", model_id = "m", location = "l", project_id = "p"'
    text = "".join(
        f'[models.{name}]\nrouting = ["p"]\nproviders.p = {{ {provider}, credential_location = "{where}" }}\n'
        for name, where in (("a", "env::ACCOUNT"), ("b", "env::NOWHERE"), ("c", "sdk"))
    )
    config(text + model("d", key="env::NOWHERE"))
    status, out, err = run("check")
    lines = [line for line in err.replace("calibrant: ", "").split("\n") if line.startswith("environment: ")]
    assert (status, out) == (2, "")
    assert [line.split(": ")[1] for line in lines] == [f"models.{name}.providers.p" for name in "abd"]
    assert "no `type` that is one of" in lines[0] and "NOWHERE is not set" in lines[1]
