from typing import get_args

from calibrant.config.document_models import AnyProvider, ProviderTypesTable
from calibrant.config.vendors import VENDORS

TABLES = {str(table.__struct_config__.tag): table for table in get_args(AnyProvider)}


def test_there_are_nineteen_types_and_each_has_a_table():
    assert len(VENDORS) == 19 and VENDORS.keys() == TABLES.keys()
    assert all(name == vendor.type for name, vendor in VENDORS.items())


def test_what_a_type_needs_is_what_its_table_requires():
    for name, vendor in VENDORS.items():
        table = TABLES[name]
        required = set(table.__struct_fields__[: len(table.__struct_fields__)]) - set(_optional(table))
        assert ("api_base" in required, "model_name" in required) == (vendor.needs_api_base, vendor.needs_model_name)
        assert set(vendor.options) <= set(table.__struct_fields__)


def test_defaults_may_be_set_for_every_type_with_a_key():
    keyed = {name for name, vendor in VENDORS.items() if "sdk" not in (vendor.credential, vendor.fallback)}
    assert keyed == set(ProviderTypesTable.__struct_fields__)


def _optional(table):
    from msgspec.structs import fields

    return [field.name for field in fields(table) if not field.required]
