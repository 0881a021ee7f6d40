import pytest

from calibrant.render.schema import Schema


def test_a_fault_has_its_path():
    schema = Schema({"type": "object", "properties": {"a": {"items": {"type": "integer"}}}})
    assert schema.fault({"a": [1, "x"]}).startswith("$.a[1]: ")
    assert schema.fault({"a": [1]}) is None
    assert schema.accepts({"a": [1]})


def test_formats_are_not_asserted():
    assert Schema({"type": "string", "format": "email"}).accepts("no address")


@pytest.mark.parametrize("source", [{"type": "strin"}, {"$ref": "#/nowhere"}, {"$ref": "http://127.0.0.1:1/x"}])
def test_what_is_no_schema_is_refused_and_nothing_is_fetched(source):
    with pytest.raises(ValueError, match=r"."):
        Schema(source)
