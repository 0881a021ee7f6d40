"""Datapoints that were seen before: what is compared of them, and with what."""

import random

import pytest
from tests.support.engine import function, model, variant

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.config.load import load
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.leaks import find_leaks, own_split, prompts_of, split_by_tag
from calibrant.datasets.reader import DatasetReader
from calibrant.datasets.wording import answer_of, input_text
from calibrant.engine.compiled import Compiler
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.content import File, RawText, Template, Text, Thought, ToolCall, ToolResult
from calibrant.types.datapoint import Content, JsonValue, NewDatapoint
from calibrant.types.message import Input, Message
from calibrant.types.split import Shares

ME = Actor("me", 1_800_000_000_000)
WORDS = "a river of light came down from the hill and nobody in the town had ever seen one".split()  # noqa: SIM905


@pytest.fixture
def catalogue(tmp_path):
    made = SqliteCatalogue(tmp_path / "catalogue.db")
    yield made
    made.close()


@pytest.fixture
def reader(catalogue):
    return DatasetReader(catalogue)


@pytest.fixture
def add(catalogue):
    def _add(name, *inputs, output=None, **more):
        contents = [
            each if isinstance(each, Content) else Content("chat", "chat", asked(each), output) for each in inputs
        ]
        return editing.add(catalogue, name, [NewDatapoint(each, **more) for each in contents], ME)

    return _add


def asked(text):
    return Input((Message("user", (Text(text),)),))


def compiled(tmp_path, *variants):
    for name, text in {
        "ask": "Say {{ word }} as in {# a note #} 'a river of light came down from the hill' {% if x %}now{% endif %}",
        "plain": "{{ 'Such' }} as: a river of light came down from the hill.",
    }.items():
        (tmp_path / f"{name}.minijinja").write_text(text)
    path = tmp_path / "calibrant.toml"
    path.write_text(model() + function(*variants, name="chat"))
    return Compiler(load(str(path), environ={}))


def test_the_text_of_an_input():
    given = Input(
        (
            Message("user", (Text("one"), Template("t", {"b": ["two", {"c": 3.5}, None], "a": True}), RawText("four"))),
            Message("assistant", (ToolCall("1", "f", '{"x":1}'), Thought("hidden"))),
            Message("user", (ToolResult("1", "f", "five"), File(url="https://a.b/c.png"))),
        ),
        "You are the system.",
    )
    assert input_text(given) == 'one\ntrue\ntwo\n3.5\nfour\n{"x":1}\nfive'
    assert input_text(Input((), {"z": "last", "context": "first"})) == "first\nlast"
    assert input_text(Input()) == ""


def test_the_answer_of_a_datapoint():
    said = (Thought("hm"), Text("Rome."), ToolCall("1", "f", '{"x":1}'))
    assert answer_of(Content("chat", "f", Input(), said)) == 'Rome.\n{"x":1}'
    assert answer_of(Content("json", "f", Input(), JsonValue('{"a":1}'))) == '{"a":1}'
    for nothing in (None, (), JsonValue(None)):
        assert answer_of(Content("chat", "f", Input(), nothing)) is None


def test_datasets_against_each_other(add, reader):
    text = " ".join(WORDS)
    mine = add("test", text, f"{text.upper()} ", text.replace("hill", "hall"), "something else", "")
    add("train", text, "nothing like it")
    add("other", "quite another thing", "")
    found = find_leaks(reader, "test", against=["train", "other"]).found
    assert [(each.split, each.n, each.leaked) for each in found.splits] == [("test", 5, 4)]
    counts = {"exact": 2, "normalised": 1, "near": 1, "group": 0, "answer": 0, "copied": 0}
    assert found.splits[0].counts == counts and found.verdict == "contaminated"
    assert found.clean == (mine[3],)
    assert find_leaks(reader, "test", against=["other"]).found.splits[0].leaked == 1
    alone = find_leaks(reader, "test")
    assert (alone.found.verdict, alone.prompts, alone.left_out) == ("clean", (), 0)


def test_splits_by_a_tag(add, reader):
    add("d", "one text that is long enough", tags={"split": "train"})
    (leaked,) = add("d", "ONE text that is long enough", tags={"split": "test"})
    add("d", "another", tags={"split": "test"})
    add("d", "one text that is long enough")
    found = find_leaks(reader, "d", split_of=split_by_tag("split"))
    assert [(each.split, each.n, each.leaked) for each in found.found.splits] == [("test", 2, 1), ("train", 1, 1)]
    assert found.left_out == 1
    judged = find_leaks(reader, "d", split_of=split_by_tag("split"), judges=["test"]).found
    assert [each.split for each in judged.splits] == ["test"]
    assert [(leak.id, leak.kind) for leak in judged.leaks] == [(leaked, "normalised")]
    nothing = find_leaks(reader, "d", split_of=split_by_tag("none"))
    assert (nothing.left_out, nothing.found.why) == (4, "there are no items")


def test_what_is_sealed_is_counted_and_not_looked_at(add, catalogue, reader):
    add("hidden", "one text that is long enough", "a second one, about something else")
    holdout.seal(catalogue, "hidden", Shares(train=0, val=0, sealed=100), None, ME)
    add("d", "a third, of which nobody has heard")
    own = find_leaks(reader, "hidden", split_of=own_split)
    assert (own.sealed, own.left_out, own.found.why) == (2, 0, "there are no items")
    beside = find_leaks(reader, "d", against=["hidden"])
    assert (beside.sealed, beside.left_out, [each.n for each in beside.found.splits]) == (2, 0, [1])
    assert find_leaks(reader, "d").sealed == 0


def test_inputs_without_words(add, reader):
    image = Content("chat", "chat", Input((Message("user", (File(url="https://a.b/c.png"),)),)))
    nothing = Content("chat", "chat", Input())
    add("train", image, nothing)
    (leaked, _) = add("test", image, nothing)
    (leak,) = find_leaks(reader, "test", against=["train"]).found.leaks
    assert (leak.kind, leak.id) == ("exact", leaked)


def test_groups_that_were_torn_apart(add, reader):
    episode = "01900000-0000-7000-8000-000000000001"
    add("train", "the first turn", episode_id=episode)
    (leaked, _) = add("test", "the second, of which nobody knew", episode_id=episode) + add("test", "all alone")
    (leak,) = find_leaks(reader, "test", against=["train"]).found.leaks
    assert (leak.kind, leak.id) == ("group", leaked)


def test_only_datapoints_of_one_function(add, reader):
    add("train", "one text that is long enough")
    add("test", Content("chat", "other", asked("one text that is long enough")), "and this")
    assert find_leaks(reader, "test", against=["train"]).found.splits[0].leaked == 1
    found = find_leaks(reader, "test", against=["train"], function_name="chat").found
    assert (found.splits[0].n, found.splits[0].leaked) == (1, 0)


def test_answers_and_words_in_prompts(tmp_path, add, reader):
    both = (
        variant("v", extra='templates.ask.path = "ask.minijinja"'),
        variant("w", extra='templates.x.path = "plain.minijinja"'),
    )
    compiler = compiled(tmp_path, *both)
    (copied, _) = add("test", " ".join(WORDS), "unrelated")
    (answered,) = add("test", "what was it", output=(Text("From the hill!"),))
    found = find_leaks(reader, "test", compiler=compiler)
    assert found.prompts == ("chat/v/ask", "chat/w/x")
    assert {(leak.kind, leak.id, leak.other) for leak in found.found.leaks} == {
        ("copied", copied, "chat/v/ask"),
        ("answer", answered, "chat/v/ask"),
    }
    assert {leak.other for leak in find_leaks(reader, "test", compiler=compiler, variants=["w"]).found.leaks} == {
        "chat/w/x"
    }
    with pytest.raises(NotFound, match=r"Unknown variant: 'z'; there are \['v', 'w'\]"):
        find_leaks(reader, "test", compiler=compiler, variants=["z"])


def test_the_prompts_of_every_kind_of_variant(tmp_path):
    compiler = compiled(
        tmp_path,
        variant("v", extra='templates.ask.path = "ask.minijinja"'),
        """
[functions.chat.variants.best]
type = "experimental_best_of_n_sampling"
candidates = ["v"]
evaluator = { model = "m", templates.judge.path = "plain.minijinja" }
[functions.chat.variants.examples]
type = "experimental_dynamic_in_context_learning"
model = "m"
k = 2
system_instructions = "plain.minijinja"
[functions.chat.variants.mix]
type = "experimental_mixture_of_n"
candidates = ["v"]
fuser = { model = "m", templates.fuse.path = "plain.minijinja" }
[functions.json]
type = "json"
[functions.json.variants.thinks]
type = "experimental_chain_of_thought"
model = "m"
json_mode = "off"
templates.think.path = "plain.minijinja"
""",
    )
    prompts = {each.name: each.text for each in prompts_of(compiler, ["chat", "unknown", "json"])}
    assert set(prompts) == {
        *("chat/v/ask", "chat/best/judge", "chat/best/ask", "chat/mix/fuse", "chat/mix/ask"),
        *("chat/examples/system_instructions", "json/thinks/think"),
    }
    assert prompts["chat/best/judge"].startswith("Such as:")
    assert "word" not in prompts["chat/v/ask"] and "note" not in prompts["chat/v/ask"]
    assert prompts["chat/v/ask"].split()[:3] == ["Say", "as", "in"] and "now" in prompts["chat/v/ask"]
    assert prompts_of(compiler, ["unknown"]) == ()


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"against": ["d"]}, InvalidRequest, "against: name other datasets"),
        ({"against": ["e", "e"]}, InvalidRequest, "each once"),
        ({"against": ["none"]}, NotFound, "'none'"),
        ({"judges": ["x"]}, InvalidRequest, r"judges: 'x' is no split of 'd'; it has \['d'\]"),
        ({"against": ["e"], "split_of": split_by_tag("s")}, InvalidRequest, "'e' is a split of 'd', too"),
        ({"split_of": lambda row: row.id}, InvalidRequest, "17 splits, and not at most 16"),
    ],
)
def test_what_cannot_be_asked(add, reader, options, error, told):
    add("d", *(f"number {i} of them" for i in range(17)), tags={"s": "e"})
    add("e", "another")
    with pytest.raises(error, match=told):
        find_leaks(reader, "d", **options)
    with pytest.raises(NotFound):
        find_leaks(reader, "nobody")


def test_planted_leaks_in_thousands(add, reader):
    rng = random.Random(6)
    texts = [" ".join(rng.choice(WORDS) + str(rng.random()) for _ in range(8)) for _ in range(1200)]
    add("train", *texts[:900])
    test = add("test", *texts[800:])
    found = find_leaks(reader, "test", against=["train"]).found
    assert set(test) - set(found.clean) >= set(test[:100])
