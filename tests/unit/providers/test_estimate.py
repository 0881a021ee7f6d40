import base64

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from calibrant.providers.estimate import estimated_input, estimated_output
from calibrant.types.content import Text, Thought, ToolCall, Unknown


def test_four_bytes_are_a_token():
    assert estimated_output([Text("12345678")]) == 2
    assert estimated_output([Text("123456789")]) == 3
    assert estimated_output([Text("é")]) == 1
    assert estimated_output([Text("a"), ToolCall("1", "name", '{"a":1}'), Thought(text="thought")]) == 5
    assert estimated_output([Thought(None, summary=[{"type": "x", "text": "1234567"}])]) == 2


def test_nothing_is_no_number():
    assert estimated_output([]) is estimated_output([Text("")]) is estimated_output([Unknown(data={"a": "b"})]) is None
    assert estimated_input(b"") is estimated_input(b"{}") is estimated_input(b"[1]") is estimated_input(b"\xff") is None


def test_files_do_not_count():
    image = "data:image/png;base64," + base64.b64encode(bytes(3000)).decode()
    body = {"messages": [{"content": [{"text": "1234"}, {"url": image}]}]}
    assert estimated_input(msgspec.json.encode(body)) == 1
    assert estimated_input(msgspec.json.encode({"text": "word " * 1000})) == 1250


@given(st.binary(max_size=100))
def test_nothing_is_raised(data):
    estimated_input(data)
    estimated_input(b"[" * 5000 + data)
