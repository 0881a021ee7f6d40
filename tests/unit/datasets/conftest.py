import pytest
from tests.support.engine import function, model, variant

from calibrant.config.load import load
from calibrant.engine.compiled import Compiler

GREET = '{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}'
PERSON = '{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}'
CITY = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'


BEST = """
[functions.chat.variants.best]
type = "experimental_best_of_n_sampling"
candidates = ["v"]
evaluator = { model = "m", templates.greet.path = "greet.minijinja" }
"""


@pytest.fixture
def compiler(tmp_path):
    """`chat` has a template and two tools, `extract` an output schema."""
    for name, text in {"greet.json": GREET, "person.json": PERSON, "city.json": CITY}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "greet.minijinja").write_text("Greet {{ name }}.")
    tools = "".join(
        f'[tools.{name}]\ndescription = "{name}"\nparameters = "city.json"\n{extra}\n'
        for name, extra in (("weather", ""), ("news", 'name = "get_news"'))
    )
    chat = function(
        variant(extra='templates.greet.path = "greet.minijinja"'),
        BEST,
        name="chat",
        extra='schemas.greet.path = "greet.json"\ntools = ["weather", "news"]\ntool_choice = "auto"',
    )
    extract = function(
        variant(extra='json_mode = "strict"'), name="extract", kind="json", extra='output_schema = "person.json"'
    )
    path = tmp_path / "calibrant.toml"
    path.write_text(model() + tools + chat + extract)
    return Compiler(load(str(path), environ={}))
