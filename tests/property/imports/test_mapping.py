"""What an import must keep, whatever it is given."""

import json
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from calibrant.base.ids import first_id
from calibrant.imports.blocks import Unmappable, to_blocks, to_input
from calibrant.imports.inferences import to_call, to_inferred
from calibrant.imports.ledger import position_of, time_of
from calibrant.types.message import Input

MILLIS = st.integers(0, 2**47)
IDS = st.builds(lambda millis, rest: f"{millis:012x}{(7 << 76) | rest:020x}", MILLIS, st.integers(0, 2**76 - 1)).map(
    lambda digits: "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
BLOCKS = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, TEXTS),
    st.builds(lambda text: {"type": "raw_text", "value": text}, TEXTS),
    st.builds(lambda name, value: {"type": "template", "name": name, "arguments": {"x": value}}, TEXTS, TEXTS),
    st.builds(lambda i, r: {"type": "tool_result", "id": i, "name": "f", "result": r}, TEXTS, TEXTS),
    st.builds(lambda value: {"type": "unknown", "data": value}, st.none() | st.booleans() | TEXTS),
)
MESSAGES = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant"]),
        st.lists(BLOCKS, max_size=4),
    ),
    max_size=4,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.just("type"), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(IDS, min_size=2))
def test_positions_follow_ids_and_have_their_time(ids):
    positions = [position_of(each) for each in sorted(ids)]
    assert positions == sorted(positions)
    assert all(0 <= position < 2**63 for position in positions)
    assert [time_of(position_of(each)) for each in ids] == [int(each[:8] + each[9:13], 16) for each in ids]


@given(IDS, MILLIS)
def test_what_stands_before_a_time_stands_before_all_ids_of_it_and_behind_all_earlier_ones(row_id, millis):
    mine = int(row_id[:8] + row_id[9:13], 16)
    assert first_id(mine) < row_id
    assert (first_id(millis) > row_id) == (millis > mine)


@given(MESSAGES, st.none() | TEXTS | st.dictionaries(TEXTS, TEXTS))
def test_an_input_says_the_same_after_it(messages, system):
    stored = {"messages": messages} if system is None else {"messages": messages, "system": system}
    made = to_input(json.dumps(stored))
    assert msgspec.json.decode(msgspec.json.encode(made), type=Input) == made
    kept = msgspec.to_builtins(made)
    assert kept.get("system") == system
    assert [(each["role"], len(each["content"])) for each in kept.get("messages", [])] == [
        (each["role"], len(each["content"])) for each in messages
    ]
    for ours, theirs in zip(kept.get("messages", []), messages, strict=True):
        for block, given_block in zip(ours["content"], theirs["content"], strict=True):
            assert {name: block[name] for name in given_block} == given_block


@given(JSON)
def test_whatever_stands_there_is_mapped_or_refused(value):
    text = json.dumps(value)
    for read in (to_input, to_blocks):
        try:
            read(text)
        except Unmappable as error:
            assert str(error)


@given(st.dictionaries(st.sampled_from(["input", "output", "output_schema", "tool_choice", "dynamic_tools"]), JSON))
def test_a_row_is_mapped_or_refused(columns):
    row = {
        "id": "019f0000-0000-7000-8000-000000000001",
        "episode_id": "019f0000-0000-7000-8000-000000000002",
        "function_name": "f",
        "variant_name": "v",
        **{name: json.dumps(value) for name, value in columns.items()},
    }
    for function_type in ("chat", "json"):
        try:
            made = to_inferred(row, [], function_type=function_type)
        except Unmappable as error:
            assert str(error)
        else:
            assert made.inference.id == row["id"]


@given(st.integers(0, 10**18 - 1))
def test_costs_keep_every_digit(billionths):
    amount = Decimal(billionths).scaleb(-9)
    call = to_call(
        {
            "id": "019f0000-0000-7000-8000-000000000001",
            "inference_id": "019f0000-0000-7000-8000-000000000002",
            "model_name": "m",
            "model_provider_name": "p",
            "cost": str(amount),
        },
        "v",
        1,
    )
    assert Decimal(call.cost) == amount
    assert "E" not in call.cost
