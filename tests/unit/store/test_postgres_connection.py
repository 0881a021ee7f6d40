import pytest

from calibrant.base.errors import ConfigError
from calibrant.store.postgres_connection import Postgres, PostgresSettings

SECRET = "Kanarienvogel"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://u:p@{SECRET}@host/db",
        f"postgresql://u:p/{SECRET}@host/db",
        f"postgres://u:{SECRET}/@host/db",
        f"postgresql://u:p%zz{SECRET}@host/db",
        f"postgresql://u:{SECRET}@host/db?odd=1",
    ],
)
def test_an_address_that_is_not_what_it_seems_is_refused_without_its_password(address):
    with pytest.raises(ConfigError) as refused:
        Postgres(PostgresSettings(address))
    assert SECRET not in refused.value.message
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (f"postgresql://u:{SECRET}@host:5433/db", "postgresql://host:5433/db"),
        (f"postgres://u:p%40%2F{SECRET}@host/db", "postgresql://host/db"),
        (f"postgresql://u:{SECRET}@/db?host=/run/pg", "postgresql:///run/pg/db"),
        (f"postgresql://host/db?user=u&password=p@{SECRET}", "postgresql://host/db"),
        ("postgresql://u@one,other/db", "postgresql://one,other/db"),
        (f"host=h dbname=d password=p@{SECRET}", "postgresql://h/d"),
    ],
)
def test_of_an_address_only_the_place_is_shown(address, place):
    settings = PostgresSettings(address)
    assert Postgres(settings).place == place
    assert SECRET not in repr(settings)
