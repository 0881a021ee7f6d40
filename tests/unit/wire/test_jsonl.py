"""One document, one line."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from calibrant.wire.jsonl import line_of

documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(), inside, max_size=4),
    max_leaves=12,
)


@given(documents, st.sampled_from(["", "\n", "\r\n", "\r"]))
def test_a_document_is_one_line_and_says_the_same(document, ends):
    written = msgspec.json.format(msgspec.json.encode(document), indent=2).replace(b"\n", ends.encode())
    line = line_of(written)
    assert line.endswith(b"\n") and line.count(b"\n") == 1 and b"\r" not in line
    assert msgspec.json.decode(line) == document
