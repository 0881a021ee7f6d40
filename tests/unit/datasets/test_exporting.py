"""Datapoints in the formats of others."""

import random
import string
import tracemalloc

import msgspec
import pytest
from tests.support.records import inference

from calibrant.base.errors import Forbidden, InvalidRequest, NotFound
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.exporting import Exporter
from calibrant.datasets.formats import FORMATS
from calibrant.datasets.reader import DatasetReader
from calibrant.store.erasing import Doomed
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.content import File, RawText, Template, Text, ToolCall, ToolResult
from calibrant.types.datapoint import (
    Content,
    DatapointEdit,
    DatapointQuery,
    JsonValue,
    NewDatapoint,
    Origin,
    ToolParams,
)
from calibrant.types.key import Grants, Principal
from calibrant.types.message import Input, Message
from calibrant.types.split import Shares
from calibrant.types.tool import CustomTool, Tool

ME = Actor("me", 1_800_000_000_000)
HELLO = Input((Message("user", (Text("Hello"),)),), "Be brief.")
CALL = ToolCall("1", "weather", '{"city":"Rome"}', "weather", {"city": "Rome"})


class Record:
    def __init__(self, *rows):
        self.rows = rows

    def get(self, ids):
        return tuple(row for row in self.rows if row.id in ids)


@pytest.fixture
def catalogue(tmp_path):
    made = SqliteCatalogue(tmp_path / "catalogue.db")
    yield made
    made.close()


@pytest.fixture
def export(catalogue, compiler):
    def _export(form, *contents, origin=Origin("person"), **options):
        if contents:
            editing.add(catalogue, "d", [NewDatapoint(each, "n", None, {"a": "b"}, origin) for each in contents], ME)
        exporter = Exporter(DatasetReader(catalogue), form, compiler=compiler, **options)
        taken = list(exporter.lines(DatapointQuery(dataset_name="d")))
        assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in taken)
        lines = [msgspec.json.decode(line) for line in taken]
        assert exporter.written == len(lines)
        return lines, exporter.left_out

    return _export


def chat(given=HELLO, output=(Text("Hi."),), tools=ToolParams()):
    return Content("chat", "chat", given, output, tools)


def extract(raw='{"age":3}'):
    return Content("json", "extract", HELLO, None if raw is None else JsonValue(raw))


def test_chat_tuning_has_the_whole_conversation_and_every_tool(export):
    turns = Input(
        (
            Message("user", (RawText("Weather?"),)),
            Message("assistant", (Text("Let me see."), CALL)),
            Message("user", (ToolResult("1", "weather", "sun"),)),
        )
    )
    own = ToolParams(tools=(Tool("own", "o", {"type": "object"}, strict=True),), parallel_tool_calls=False)
    (line,), left_out = export("chat", chat(turns, (CALL,), own))
    used = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
    assert line["messages"] == [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [used]},
        {"role": "tool", "tool_call_id": "1", "content": "sun"},
        {"role": "assistant", "tool_calls": [used]},
    ]
    assert [each["function"]["name"] for each in line["tools"]] == ["weather", "get_news", "own"]
    assert line["tools"][2]["function"]["strict"] is True and line["parallel_tool_calls"] is False
    assert left_out == 0


def test_tools_that_may_not_be_called_are_left_out(export):
    (line,), _ = export("chat", chat(tools=ToolParams(allowed_tools=("news",), custom_tools=(CustomTool("text"),))))
    assert [each["function"]["name"] for each in line["tools"]] == ["get_news"]


def test_a_tool_that_the_configuration_no_longer_has(export):
    with pytest.raises(InvalidRequest, match="^datapoint .*unknown \\['gone'\\]"):
        export("chat", chat(tools=ToolParams(allowed_tools=("gone",))))


def test_a_json_function_answers_its_text(export):
    (line,), left_out = export("chat", extract(), extract(None))
    assert line == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": '{"age":3}'},
        ]
    }
    assert left_out == 1


def test_templates_are_a_variants(export):
    greeting = chat(Input((Message("user", (Template("greet", {"name": "Ada"}),)),)))
    with pytest.raises(InvalidRequest, match="name the `variant`"):
        export("chat", greeting)
    (line,), _ = export("chat", variant="v")
    assert line["messages"][0] == {"role": "user", "content": "Greet Ada."}
    with pytest.raises(NotFound, match="Unknown variant: 'none'"):
        export("chat", variant="none")
    with pytest.raises(InvalidRequest, match="no one prompt"):
        export("chat", variant="best")


def test_a_file_that_has_no_words_there_says_whose_it_is(export):
    sound = File(url="https://x/y.mp3", mime_type="audio/mpeg")
    with pytest.raises(InvalidRequest, match="^datapoint .*the format takes no sound by address"):
        export("chat", chat(Input((Message("user", (sound,)),))))


def test_pairs_are_of_the_models_answer_and_the_demonstration(export):
    row = inference(function_type="chat", output=b'[{"type":"text","text":"Rejected."}]')
    (line,), left_out = export("preference", chat(), origin=Origin("feedback", row.id, "f"), record=Record(row))
    assert [each["role"] for each in line["input"]["messages"]] == ["system", "user"] and "tools" in line["input"]
    assert line["preferred_output"] == [{"role": "assistant", "content": "Hi."}]
    assert line["non_preferred_output"] == [{"role": "assistant", "content": "Rejected."}]
    assert left_out == 0
    for record in (None, Record(), Record(inference(id=row.id, output=b"redacted", function_type="chat"))):
        assert export("preference", record=record) == ([], 1)


def test_pairs_are_of_the_first_answer_and_the_edited_one(export, catalogue):
    export(None, chat(), chat(output=None))
    one, two = [each.id for each in DatasetReader(catalogue).page(DatapointQuery(dataset_name="d"))][::-1]
    assert export("preference") == ([], 2)
    for answer in ("Better.", "Best."):
        edits = [DatapointEdit(id=each, type="chat", output=(Text(answer),)) for each in (one, two)]
        one, two = editing.edit(catalogue, "d", edits, ME, lambda content: content)
    (line,), left_out = export("preference")
    assert line["preferred_output"][0]["content"] == "Best." and line["non_preferred_output"][0]["content"] == "Hi."
    assert left_out == 1
    editing.edit(catalogue, "d", [DatapointEdit(id=one, type="chat", input=Input())], ME, lambda content: content)
    assert export("preference") == ([], 2)


def test_the_others(export):
    (line,), _ = export("inspect", chat(output=(Text("a"), CALL)))
    assert line["target"] == 'a\n{"name":"weather","arguments":"{\\"city\\":\\"Rome\\"}"}'
    assert line["input"][1] == {"role": "user", "content": "Hello"}
    assert line["metadata"]["tags"] == {"a": "b"} and line["metadata"]["group_key"] == line["id"]
    (evals,), _ = export("evals")
    assert evals == {"input": line["input"], "ideal": line["target"]}
    (item,), _ = export("langfuse")
    assert (item["expectedOutput"], item["metadata"]) == (line["target"], line["metadata"])


@pytest.mark.parametrize("form", FORMATS)
def test_what_has_no_output(export, form):
    lines, left_out = export(form, extract(None))
    assert (len(lines), left_out) == ((1, 0) if form in ("inspect", "langfuse") else (0, 1))


def test_a_reader_with_a_list_of_functions_reads_these_alone(export, catalogue):
    export(None, chat(), extract())
    reader = DatasetReader(catalogue, Principal("k" * 12, frozenset(("read",)), Grants(functions=("ch*",))))
    rows = list(reader.stream(DatapointQuery(dataset_name="d")))
    assert [row.content.function_name for row in rows] == ["chat"]
    everything = [row.id for row in DatasetReader(catalogue).page(DatapointQuery(dataset_name="d"))]
    assert reader.get(everything) == tuple(rows) == reader.page(DatapointQuery(dataset_name="d"))


def test_what_is_done_meanwhile_does_not_change_an_export(export, catalogue):
    export(None, *(chat(output=(Text(str(n)),)) for n in range(450)))
    lines = Exporter(DatasetReader(catalogue), None).lines(DatapointQuery(dataset_name="d"))
    first = msgspec.json.decode(next(lines))
    editing.clear(catalogue, "d", ME)
    editing.add(catalogue, "d", [NewDatapoint(chat())], ME)
    rest = [msgspec.json.decode(line) for line in lines]
    assert [each["output"][0]["text"] for each in (first, *rest)] == [str(n) for n in range(450)]


@pytest.mark.parametrize("form", [None, "chat"])
def test_what_was_erased_is_in_no_export_and_is_not_cloned(export, catalogue, form):
    (kept, erased), _ = export(None, chat(), chat(output=(Text("erased"),)))
    with catalogue.transaction() as tx:
        tx.erase_datapoints([Doomed(erased["id"], "d")], actor="", now_ms=1)
    exporter = Exporter(DatasetReader(catalogue), form)
    lines = list(exporter.lines(DatapointQuery(dataset_name="d", version=1)))
    assert len(lines) == exporter.written == exporter.left_out == 1 and b"erased" not in lines[0]
    assert editing.clone(catalogue, "e", [erased["id"]], ME) == (None,)
    copied = editing.clone(catalogue, "e", [erased["id"], kept["id"]], ME)
    assert copied[0] is None and copied[1] is not None


def test_memory_does_not_grow_with_the_dataset(catalogue):
    def big(n):
        return NewDatapoint(Content("chat", "f", HELLO, (Text(f"{n}" * 3000),)))

    peaks = []
    for more in (400, 3600):
        for start in range(0, more, 400):
            editing.add(catalogue, "d", [big(start + n) for n in range(400)], ME)
        lines = Exporter(DatasetReader(catalogue), None).lines(DatapointQuery(dataset_name="d"))
        tracemalloc.start()
        assert sum(1 for _ in lines) in (400, 4000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Ten times as many, of longer numbers too.
    assert peaks[1] < 3 * peaks[0]


def test_a_value_that_was_written_over_several_lines_is_on_one(export):
    written = '{\n  "age": 3\r\n}'
    value = JsonValue(written, msgspec.Raw(written.encode()))
    ((line,), _) = export(None, Content("json", "extract", HELLO, value))
    assert line["output"] == {"raw": written, "parsed": {"age": 3}}


def test_of_a_split_dataset_train_is_written_or_what_is_named_and_the_rest_is_counted(catalogue):
    words = ["".join(random.Random(n).choices(string.ascii_lowercase, k=60)) for n in range(60)]
    points = [NewDatapoint(chat(Input((Message("user", (Text(each),)),)))) for each in words]
    editing.create(catalogue, "d", "datapoint", ME)
    editing.add(catalogue, "d", points, ME)
    holdout.seal(catalogue, "d", Shares(train=40, val=30, sealed=30), None, ME)
    which = DatapointQuery(dataset_name="d")
    with catalogue.reading() as view:
        counts = view.count_by_split(which)
    assert set(counts) == {"train", "val", "sealed"}

    def written(reader):
        exporter = Exporter(reader, None)
        splits = [msgspec.json.decode(line)["split"] for line in exporter.lines(which)]
        return {each: splits.count(each) for each in splits}, exporter.held(which)

    rest = {each: number for each, number in counts.items() if each != "train"}
    optimizer = Principal("k", frozenset(("optimizer",)))
    for reader in (DatasetReader(catalogue, purpose="training"), DatasetReader(catalogue, optimizer)):
        assert written(reader) == ({"train": counts["train"]}, rest)
    person = DatasetReader(catalogue, splits=("val", "canary"))
    assert written(person) == ({"val": counts["val"]}, {each: counts[each] for each in ("train", "sealed")})
    assert written(DatasetReader(catalogue))[1] == {}
    with pytest.raises(InvalidRequest, match="nobody is given what is sealed"):
        DatasetReader(catalogue, splits=("sealed",))
    with pytest.raises(InvalidRequest, match="none of train, val, sealed, canary"):
        DatasetReader(catalogue, splits=("test",))
    with pytest.raises(Forbidden, match="`train` alone"):
        DatasetReader(catalogue, optimizer, splits=("val",))


def test_an_optimizer_changes_and_copies_what_it_sees_and_nothing_else(catalogue):
    learner = Actor("k", ME.now_ms, learns=True)
    editing.add(catalogue, "d", [NewDatapoint(chat())], ME)
    (seen,) = editing.add(catalogue, "open", [NewDatapoint(chat(Input((Message("user", (Text("Other"),)),))))], ME)
    (hidden,) = [row.id for row in DatasetReader(catalogue).page(DatapointQuery(dataset_name="d"))]
    holdout.seal(catalogue, "d", Shares(train=0, val=100, sealed=0), None, ME)
    assert editing.clone(catalogue, "mine", [hidden, seen], learner)[0] is None
    assert editing.delete(catalogue, "d", [hidden], learner) == 0
    for act in (
        lambda: editing.rename(catalogue, "d", [(hidden, "n")], learner),
        lambda: editing.edit(catalogue, "d", [DatapointEdit(id=hidden, type="chat")], learner, lambda each: each),
    ):
        with pytest.raises(NotFound, match=hidden):
            act()
    with pytest.raises(Forbidden, match="held back"):
        editing.clear(catalogue, "d", learner)
    assert editing.clear(catalogue, "open", learner) == 1
    assert editing.clone(catalogue, "theirs", [hidden], ME)[0] is not None
