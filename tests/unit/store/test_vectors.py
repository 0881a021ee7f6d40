"""Vectors that were paid for once."""

from calibrant.store.vectors import VectorStore


def test_what_is_put_is_found_by_model_and_text(tmp_path):
    store = VectorStore(tmp_path / "vectors.db")
    assert store.get("m", ["a"]) == {}
    store.put("m", {"a": b"0123", "b": b"4567"})
    again = VectorStore(tmp_path / "vectors.db")
    assert again.get("m", ["b", "a", "c"]) == {"a": b"0123", "b": b"4567"}
    assert again.get("n", ["a"]) == {}
    again.put("m", {"a": b"89ab"})
    assert store.get("m", ["a"]) == {"a": b"89ab"}
    assert (tmp_path / "vectors.db").stat().st_mode & 0o077 == 0


def test_pruning_leaves_the_texts_that_are_held_and_other_models(tmp_path):
    store = VectorStore(tmp_path / "vectors.db")
    for model in ("m", "n"):
        store.put(model, {"a": b"0123", "b": b"4567"})
    store.prune("m", ["b", "c"])
    assert store.get("m", ["a", "b", "c"]) == {"b": b"4567"}
    assert set(store.get("n", ["a", "b"])) == {"a", "b"}


def test_what_is_forgotten_is_gone_of_every_model_and_from_the_file(tmp_path):
    store = VectorStore(tmp_path / "vectors.db")
    assert store.forget(["a"]) == 0
    for model in ("m", "n"):
        store.put(model, {"a": b"a-vector" * 9, "b": b"b-vector" * 9})
    assert store.forget(["a", "c"]) == 2 and store.scrub()
    assert set(store.get("m", ["a", "b"])) == set(store.get("n", ["a", "b"])) == {"b"}
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"a-vector" not in content and b"b-vector" in content
