import pytest
from tests.support.clients import KINDS


@pytest.fixture(params=KINDS, ids=["sync", "async"])
def connect(request):
    """Makes a client of the kind whose gateway is a function."""
    made = []

    def make(handler=None, **options):
        made.append(request.param(handler, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
