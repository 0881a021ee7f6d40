"""Vectors that were paid for once."""

import pytest

from calibrant.store.vectors import VectorStore


def test_what_is_put_is_found_by_model_and_text(tmp_path):
    store = VectorStore(tmp_path / "vectors.db")
    assert store.get("m", ["a"]) == {}
    store.put("m", {"a": (0.5, -1.25), "b": (1.0, 2.0)})
    again = VectorStore(tmp_path / "vectors.db")
    assert again.get("m", ["b", "a", "c"]) == {"a": (0.5, -1.25), "b": (1.0, 2.0)}
    assert again.get("n", ["a"]) == {}
    again.put("m", {"a": (3.0, 4.0)})
    assert store.get("m", ["a"])["a"] == pytest.approx((3.0, 4.0))
    assert (tmp_path / "vectors.db").stat().st_mode & 0o077 == 0
