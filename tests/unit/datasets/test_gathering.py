"""Inferences to datapoints."""

import msgspec
import pytest
from tests.support.records import feedback, inference

from calibrant.base.errors import InvalidRequest, NotFound
from calibrant.datasets.gathering import gathered, missing_of
from calibrant.types.content import Text
from calibrant.types.datapoint import ToolParams
from calibrant.types.tool import CustomTool, Tool, ToolConfig

WEATHER = Tool("weather", "weather", {})
NEWS = Tool("get_news", "news", {})
OWN = Tool("own", "", {"type": "object"})


class Record:
    def __init__(self, *feedback_):
        self.feedback = feedback_

    def feedback_for(self, target_id):
        return tuple(each.feedback for each in self.feedback if each.feedback.target_id == target_id)


def chat(**changes):
    output = b'[{"type":"text","text":"Hi."}]'
    return inference(**{"function_name": "chat", "function_type": "chat", "output": output, **changes})


def demonstration(row, text, **changes):
    document = msgspec.json.encode([{"type": "text", "text": text}])
    fields = {"metric_name": "demonstration", "kind": "demonstration", "number": None, "document": document}
    return feedback(row.id, **{**fields, **changes})


def one(compiler, row, source="inference", record=Record()):
    (found,) = gathered(record, compiler, [row], source, strict=True)
    return found


def test_an_inference_becomes_a_datapoint(compiler):
    row = chat()
    found = one(compiler, row)
    assert (found.episode_id, found.tags, found.content.output) == (row.episode_id, row.tags, (Text("Hi."),))
    assert (found.origin.source, found.origin.inference_id) == ("inference", row.id)
    assert found.content.output_schema is None
    extracted = one(compiler, inference(output=b'{"raw":"1.50","parsed":1.50}'))
    assert bytes(extracted.content.output.parsed) == b"1.50" and extracted.content.output_schema == {"type": "object"}


def test_the_latest_demonstration_that_is_linked(compiler):
    row = chat()
    shown = [demonstration(row, "old"), demonstration(row, "new"), demonstration(row, "lost", linked=False)]
    found = one(compiler, row, "demonstration", Record(*shown, feedback(row.id)))
    assert found.content.output == (Text("new"),)
    assert (found.origin.source, found.origin.feedback_id) == ("feedback", shown[1].feedback.id)
    with pytest.raises(NotFound, match="has no demonstration"):
        one(compiler, row, "demonstration")


def test_none_is_no_output_even_of_what_failed(compiler):
    assert one(compiler, chat(status="error", output=None), "none").content.output is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"input": None}, "its input was not recorded"),
        ({"output": None}, "it has no output"),
        ({"status": "error"}, "it has no output"),
        ({"input": b"<redacted>"}, "cannot be read"),
        ({"output": b"[1]"}, "cannot be read"),
        ({"tool_params": b"x"}, "cannot be read"),
    ],
)
def test_what_cannot_become_one(compiler, changes, said):
    row = chat(**changes)
    with pytest.raises(InvalidRequest, match=said):
        one(compiler, row)
    good = chat()
    rest = gathered(Record(), compiler, [row, good], "inference", strict=False)
    assert [each.origin.inference_id for each in rest] == [good.id]


@pytest.mark.parametrize(
    ("used", "params"),
    [
        (ToolConfig((WEATHER, NEWS)), ToolParams()),
        (
            ToolConfig((WEATHER, NEWS), "required", parallel=True),
            ToolParams(tool_choice="required", parallel_tool_calls=True),
        ),
        (ToolConfig((WEATHER, NEWS), allowed=("get_news",)), ToolParams(allowed_tools=("news",))),
        (ToolConfig((WEATHER, NEWS, OWN), allowed=("own",)), ToolParams(allowed_tools=(), tools=(OWN,))),
        (ToolConfig((WEATHER, NEWS), custom=(CustomTool("c"),)), ToolParams(custom_tools=(CustomTool("c"),))),
    ],
)
def test_of_tools_only_what_the_function_has_not(compiler, used, params):
    assert one(compiler, chat(tool_params=msgspec.json.encode(used))).content.tools == params


def test_of_a_function_that_is_gone_all_tools_are_its_own(compiler):
    row = chat(function_name="gone", tool_params=msgspec.json.encode(ToolConfig((WEATHER,))))
    assert one(compiler, row).content.tools == ToolParams(tools=(WEATHER,), tool_choice="auto")


def test_what_is_missing():
    row = chat()
    assert missing_of([row], ["a", row.id, "b"]) == ["a", "b"]
