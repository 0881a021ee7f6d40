from __future__ import annotations

from calibrant.providers.reasoning_details import add_details


def test_pieces_of_one_index_are_one_detail() -> None:
    details: list[dict] = []
    add_details(details, [{"type": "reasoning.text", "index": 0, "text": "a", "signature": None}])
    add_details(details, [{"type": "reasoning.text", "index": 0, "text": "b", "signature": "s"}])
    add_details(details, [{"type": "reasoning.encrypted", "index": 0, "data": "x"}, {"type": "y"}, {"type": "y"}])
    assert details == [
        {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "s"},
        {"type": "reasoning.encrypted", "index": 0, "data": "x"},
        {"type": "y"},
        {"type": "y"},
    ]
