"""Mistakes: each one's line, and all of them at once."""

import pytest

MODEL = '[models.m]\nrouting=["p"]\n[models.m.providers.p]\ntype="openai"\nmodel_name="x"\n'
FUNCTION = '[functions.f]\ntype="chat"\n[functions.f.variants.v]\ntype="chat_completion"\nmodel="m"\n' + MODEL
BEST = '[functions.f.variants.best]\ntype="experimental_best_of_n_sampling"\n'
MIX = '[functions.f.variants.mix]\ntype="experimental_mixture_of_n"\n'


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        ("[gatway]", "gatway", "did you mean 'gateway'?"),
        ("[gateway]\nprot = 1", "gateway.prot", "did you mean 'port'?"),
        ("[gateway]\nport = 70000", "gateway.port", "is 70000; write an integer of at least 0 and at most 65535"),
        ("[gateway]\nport = true", "gateway.port", "is true"),
        ("[gateway]\nworkers = 0", "gateway.workers", "is 0"),
        ("gateway = 1", "gateway", "is a number; write a table"),
        ('[gateway]\nbind_address = ":::"', "gateway.bind_address", "is no address"),
        ('[gateway]\nbind_address = "0.0.0.0:1"\nport = 1', "gateway.bind_address", "`host` or `port`"),
        ("[gateway.auth]\ncache.ttl_ms = -1", "gateway.auth.cache.ttl_ms", "is -1"),
        (
            "[gateway.metrics]\ntensorzero_inference_latency_overhead_seconds_buckets = [1, 1]",
            "gateway.metrics",
            "ascending",
        ),
        ('[spool]\nmax_bytes = "1 lot"', "spool.max_bytes", "is no size"),
        ('[spool]\nmax_bytes = "1MB"', "spool.segment_bytes", "more than `spool.max_bytes`"),
        ("[spool]\nmax_bytes = -1", "spool.max_bytes", "is -1"),
        ('[spool]\ndurability = "paper"', "spool.durability", "one of 'disk', 'kernel', 'memory'"),
        ('[record]\nredact = "nothing"', "record.redact", "package.module:function"),
        ("[[rate_limiting.rules]]\ntokens_per_hour = 5", "rate_limiting.rules", "rate limiting"),
        ('[metrics.comment]\ntype="float"\noptimize="min"\nlevel="episode"', "metrics.comment", "another name"),
        ('[metrics.m]\ntype="float"\nlevel="episode"', "metrics.m.optimize", "is missing; write one of 'max', 'min'"),
        (
            '[metrics."calibrant::m"]\ntype="float"\noptimize="min"\nlevel="episode"',
            'metrics."calibrant::m"',
            "reserved",
        ),
        ('[tools.t]\ndescription="x"\nparameters="absent.json"', "tools.t.parameters", "No such file"),
        (MODEL.replace('["p"]', '["q"]'), "models.m.routing[0]", "'q', which the model lacks; known: 'p'"),
        (MODEL.replace('["p"]', '["p", "p"]'), "models.m.routing[1]", "a second time"),
        (MODEL.replace('["p"]', "[]"), "models.m.routing", "is empty"),
        (MODEL + 'api_base = "localhost"', "models.m.providers.p.api_base", "https://"),
        (MODEL + 'api_key_location = "sdk"', "models.m.providers.p.api_key_location", "only AWS and GCP"),
        (MODEL + 'api_key_location = "env::"', "models.m.providers.p.api_key_location", "is no location"),
        (
            MODEL + "timeouts.streaming.ttft_ms = 900_001",
            "models.m.providers.p.timeouts.streaming.ttft_ms",
            "900000 ms",
        ),
        (MODEL.replace("openai", "opnai"), "models.m.providers.p.type", "did you mean 'openai'?"),
        (MODEL.replace('type="openai"', ""), "models.m.providers.p.type", "is missing"),
        (MODEL.replace('"openai"', '"vllm"'), "models.m.providers.p.api_base", "is missing"),
        (FUNCTION.replace('model="m"', 'model="n"'), "functions.f.variants.v.model", "not configured; known: 'm'; or"),
        (FUNCTION.replace('model="m"', 'model="vllm::x"'), "functions.f.variants.v.model", "no shorthand"),
        (FUNCTION.replace('model="m"', 'model="openai::"'), "functions.f.variants.v.model", "after the `::`"),
        (
            FUNCTION.replace('model="m"', 'model="m"\njson_mode="on"'),
            "functions.f.variants.v.json_mode",
            "chat function",
        ),
        (FUNCTION.replace('"chat"', '"json"'), "functions.f.variants.v.json_mode", "is missing"),
        (FUNCTION.replace('"chat"', '"chat"\ntools=["t"]'), "functions.f.tools[0]", "not configured"),
        (FUNCTION.replace('"chat"', '"chat"\ntool_choice={specific="t"}'), "functions.f.tool_choice.specific", "lacks"),
        (FUNCTION.replace('"chat"', '"chat"\ntool_choice="maybe"'), "functions.f.tool_choice", "one of 'auto'"),
        ('[functions.f]\ntype="chat"\nvariants={}', "functions.f.variants", "is empty"),
        ('[functions.f]\ntype="chat"', "functions.f.variants", "is missing"),
        (
            FUNCTION.replace('model="m"', 'model="m"\ntemplates.user.path="no.txt"'),
            "functions.f.variants.v.templates.user.path",
            "names the file 'no.txt'",
        ),
        (
            FUNCTION.replace("chat_completion", "experimental_best_of_n").replace(
                'model="m"', 'candidates=["v"]\nevaluator={model="m"}'
            ),
            "functions.f.variants.v.candidates[0]",
            "back to this variant",
        ),
        (
            FUNCTION + f'{BEST}candidates=["v", "x"]\nevaluator={{model="m"}}',
            "functions.f.variants.best.candidates[1]",
            "the variant 'x', which the function lacks",
        ),
        (FUNCTION + f'{BEST}candidates=[]\nevaluator={{model="m"}}', "functions.f.variants.best.candidates", "empty"),
        (
            FUNCTION + f'{BEST}candidates=["v"]\nevaluator={{model="n"}}',
            "functions.f.variants.best.evaluator.model",
            "'n', which is not configured",
        ),
        (
            FUNCTION + f'{MIX}candidates=["v"]\nfuser={{model="m", json_mode="on"}}',
            "functions.f.variants.mix.fuser.json_mode",
            "chat function",
        ),
        (
            FUNCTION + f'{MIX}candidates=["v"]\nfuser={{model="m", extra_body=[{{pointer="a", value=1}}]}}',
            "functions.f.variants.mix.fuser.extra_body[0].pointer",
            "JSON Pointer",
        ),
        (
            FUNCTION.replace('"m"', '"m"\nnamespace="n"', 1) + f'{BEST}candidates=["v"]\nevaluator={{model="m"}}',
            "functions.f.variants.best.candidates[0]",
            "belongs to the namespace 'n'",
        ),
        (
            FUNCTION.replace("[models.m]", '[models.m]\nnamespace="n"')
            + f'{BEST}candidates=["v"]\nevaluator={{model="openai::x"}}',
            "functions.f.variants.best.candidates[0]",
            "belongs to the namespace 'n'",
        ),
        (
            FUNCTION
            + MODEL.replace("models.m", "models.n").replace("]\nrouting", ']\nnamespace="n"\nrouting', 1)
            + f'{MIX}candidates=["v"]\nfuser={{model="n"}}',
            "functions.f.variants.mix.fuser.model",
            "belongs to the namespace 'n'",
        ),
        (
            FUNCTION.replace("chat_completion", "experimental_chain_of_thought"),
            "functions.f.variants.v.type",
            "JSON functions only",
        ),
        (
            FUNCTION + '[functions.f.experimentation]\ntype="static"\ncandidate_variants=["w"]',
            "functions.f.experimentation.candidate_variants[0]",
            "known: 'v'",
        ),
        (
            FUNCTION + '[functions.f.experimentation]\ntype="static"\ncandidate_variants={v=0}',
            "functions.f.experimentation.candidate_variants",
            "weight 0",
        ),
        (
            FUNCTION + '[functions.f.experimentation]\ntype="static"\ncandidate_variants={v=-1}',
            "functions.f.experimentation.candidate_variants.v",
            "at least 0",
        ),
        (
            FUNCTION
            + '[functions.f.experimentation]\ntype="static"\ncandidate_variants=["v"]\nfallback_variants=["w"]',
            "functions.f.experimentation.fallback_variants[0]",
            "lacks",
        ),
        (
            FUNCTION + '[functions.f.experimentation]\ntype="adaptive"\nmetric="x"\ncandidate_variants=["v"]',
            "functions.f.experimentation.type",
            "adaptive experiments",
        ),
        (
            FUNCTION.replace('model="m"', 'model="m"\nweight=1')
            + '[functions.f.experimentation]\ntype="static"\ncandidate_variants=["v"]',
            "functions.f.variants.v.weight",
            "beside `experimentation`",
        ),
        (
            FUNCTION.replace('routing=["p"]', 'routing=["p"]\nnamespace="x"')
            + '[functions.f.experimentation]\ntype="static"\ncandidate_variants=["v"]',
            "functions.f.experimentation.candidate_variants[0]",
            "belongs to the namespace 'x'",
        ),
        (
            FUNCTION.replace('routing=["p"]', 'routing=["p"]\nnamespace="x"').replace(
                'model="m"', 'model="m"\nnamespace="y"'
            ),
            "functions.f.variants.v.namespace",
            "belongs to the namespace 'x'",
        ),
    ],
)
def test_each_mistake_is_told(mistakes, text, path, problem):
    lines = mistakes(text)
    assert any(line.startswith(path) and problem in line for line in lines), lines


def test_a_mistake_is_told_once_and_hides_no_other(mistakes):
    lines = mistakes(
        FUNCTION.replace('"openai"', '"opnai"').replace('model="m"', 'model="m"\ntemperature="hot"')
        + "[gateway]\nport=-1\n[metrics.demonstration]\n"
    )
    assert [line.split(": ")[0] for line in lines] == [
        "functions.f.variants.v.temperature",
        "models.m.providers.p.type",
        "gateway.port",
        "metrics.demonstration.type",
        "metrics.demonstration.optimize",
        "metrics.demonstration.level",
        "metrics.demonstration",
    ]


def test_an_inline_credential_is_never_shown(mistakes):
    secret = "sk-canary-1234567890"
    for key in ("api_key_location = ", "api_key_location.fallback = "):
        lines = mistakes(MODEL + f'{key}"{secret}"')
        assert secret not in "\n".join(lines) and "is" in lines[0]
    lines = mistakes(MODEL + f'api_type = "{secret}"')
    assert secret not in "\n".join(lines)


def test_schemas(tmp_path, mistakes):
    (tmp_path / "bad.json").write_text('{"type": "objet"}')
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "remote.json").write_text('{"$ref": "https://example.com/x.json"}')
    for file, said in (
        ("bad", "no valid JSON Schema"),
        ("list", "no object"),
        ("broken", "is not JSON"),
        ("remote", "not part of it"),
    ):
        (line,) = mistakes(f'[tools.t]\ndescription="x"\nparameters="{file}.json"')
        assert line.startswith("tools.t.parameters: ") and said in line


def test_a_schema_wants_its_template_in_every_variant(tmp_path, mistakes):
    (tmp_path / "s.json").write_text("{}")
    (tmp_path / "t.txt").write_text("x")
    text = FUNCTION.replace('"chat"', '"chat"\nuser_schema="s.json"\nschemas.user.path="s.json"')
    lines = mistakes(text.replace('model="m"', 'model="m"\nuser_template="t.txt"\ntemplates.user.path="t.txt"'))
    assert [line.split(":")[0] for line in lines] == ["functions.f.user_schema", "functions.f.variants.v.user_template"]
    (line, _) = mistakes(text)[::-1]
    assert line.startswith("functions.f.variants.v.templates.user: is missing")


def test_includes(tmp_path, mistakes):
    text = FUNCTION.replace('model="m"', 'model="m"\ntemplates.user.path="t.txt"')
    access = '[gateway.template_filesystem_access]\nbase_path="inc"\n'
    (tmp_path / "t.txt").write_text('{% include "a.txt" %}')
    assert "base_path" in mistakes(text)[0]
    assert "cannot be read" in mistakes(access + text)[0]
    (tmp_path / "t.txt").write_text('{% include "../t.txt" %}')
    assert "outside the base path" in mistakes(access + text)[0]


def test_limits_that_are_off_only_warn(loads):
    config = loads("[rate_limiting]\nenabled = false\n[[rate_limiting.rules]]\ntokens_per_hour = 5")
    assert len(config.warnings) == 1


def test_a_configured_model_wins_over_a_shorthand(loads):
    name = '"anthropic::x"'
    config = loads(FUNCTION.replace("models.m", f"models.{name}").replace('model="m"', f"model={name}"))
    assert [provider.type for provider in config.models["anthropic::x"].providers] == ["openai"]


@pytest.mark.parametrize(
    ("entry", "where", "says"),
    [
        ('extra_body=[{pointer="a", value=1}]', "extra_body[0].pointer", "no JSON Pointer"),
        ('extra_body=[{pointer="/a"}]', "extra_body[0]", "neither `value` nor `delete = true`"),
        ('extra_body=[{pointer="/a", value=1, delete=true}]', "extra_body[0]", "a `value` and `delete = true`"),
        ('extra_headers=[{name="a b", value="1"}]', "extra_headers[0].name", "no name of a header"),
        ('extra_headers=[{name="a", value="1\\n2"}]', "extra_headers[0].value", "a line break"),
        ('extra_headers=[{name="a"}]', "extra_headers[0]", "neither"),
    ],
)
@pytest.mark.parametrize("on", ["functions.f.variants.v", "models.m.providers.p"])
def test_an_entry_that_changes_nothing(mistakes, on, entry, where, says):
    if on.startswith("functions"):
        text = FUNCTION.replace('model="m"', f'model="m"\n{entry}')
    else:
        text = FUNCTION.replace('type="openai"', f'type="openai"\n{entry}')
    (line,) = mistakes(text)
    assert f"{on}.{where}" in line and says in line
