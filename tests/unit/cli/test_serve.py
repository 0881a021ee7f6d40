import pytest

from calibrant.cli.serve import announce, url_of


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1:3000"), ("::1", "http://[::1]:3000")])
def test_an_address_as_a_url(host, url):
    assert url_of(host, 3000) == url


def test_where_the_gateway_listens_is_said_on_standard_error(capsys):
    announce("::", 80)
    assert capsys.readouterr() == ("", "calibrant gateway on http://[::]:80\n")
