import inspect

from calibrant.base import errors


def classes():
    return [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.CalibrantError)]


def test_the_drawing_in_the_docstring_names_every_class():
    for cls in classes():
        assert cls.__name__ in errors.__doc__


def test_codes_of_siblings_differ_and_statuses_are_http():
    for cls in classes():
        assert cls.code == cls.code.lower()
        assert 400 <= cls.status < 600
    own = [c.code for c in classes() if "code" in vars(c)]
    assert len(own) - len(set(own)) <= 1  # the root and InternalError share theirs


def test_a_provider_error_keeps_what_the_provider_said():
    error = errors.Refused("no", upstream_status=429, raw_response=b"{}", retry_after=2.0, retryable=False)
    assert (error.upstream_status, error.raw_response, error.retry_after, error.retryable) == (429, b"{}", 2.0, False)
    assert error.status == 500
