from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from calibrant.base.errors import ConfigError
from calibrant.config.load import load
from calibrant.config.snapshot import restore

FIXTURES = Path(__file__).parents[2] / "fixtures"
LARGE = FIXTURES / "config" / "large"


def same(config):
    """The configuration without what belongs to the machine and to the loading."""
    gateway = replace(config.gateway, template_base_path=None)
    return replace(config, gateway=gateway, warnings=())


def test_a_snapshot_loads_as_its_files_did():
    config = load(str(LARGE / "tensorzero.toml"), environ={})
    assert same(restore(config.canonical, root=LARGE)) == same(config)


def test_version_1_still_opens():
    config = restore((FIXTURES / "snapshots" / "v1.json").read_bytes())
    assert config.hash == (FIXTURES / "snapshots" / "v1.hash").read_text().strip()
    assert config.functions["extract"].variants["a"].templates["user"] == "Extract from: {{ text }}\n"
    assert config.includes["role.minijinja"] == "reader"


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (b"{", "no configuration snapshot"),
        (b'{"version":2,"document":{},"includes":{}}', "version: is 2"),
        (b'{"version":1,"document":{"gatway":{}},"includes":{}}', "snapshot: gatway"),
    ],
)
def test_what_is_no_snapshot(stored, said):
    with pytest.raises(ConfigError, match=said):
        restore(stored)


def parts(templates: dict[str, str], path: str) -> list[str]:
    return [
        f'[functions."{name}"]\ntype = "chat"\n[functions."{name}".variants.v]\ntype = "chat_completion"\n'
        f'model = "openai::m"\ntemplates.user.path = "{path}{name}.txt"\n'
        for name in templates
    ]


names = st.text("abcdefgh", min_size=1, max_size=4)
texts = st.text(st.characters(codec="utf-8", exclude_characters="{}%#"), max_size=20)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, texts, min_size=1, max_size=4), st.data())
def test_the_hash_follows_content_alone(tmp_path_factory, templates, data):
    one, many = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("many")
    for name, text in templates.items():
        for folder in (one, many / "other"):
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.txt").write_bytes(text.encode())
    (one / "all.toml").write_text("".join(parts(templates, "")))
    for i, part in enumerate(data.draw(st.permutations(parts(templates, "other/")))):
        (many / f"{i}.toml").write_text(part)
    first = load(str(one / "*.toml"), environ={})
    second = load(str(many / "*.toml"), environ={})
    assert first.canonical == second.canonical and first.hash == second.hash
    again = restore(first.canonical)
    assert again == first
    changed = next(iter(templates))
    (one / f"{changed}.txt").write_bytes((templates[changed] + "!").encode())
    assert load(str(one / "*.toml"), environ={}).hash != first.hash
