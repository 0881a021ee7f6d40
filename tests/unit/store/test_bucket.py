"""What a bucket is asked, and what its answers mean."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.support.engine import Answer, Script

from calibrant.base.errors import MissingCredential, Unreachable
from calibrant.store.bucket import Bucket, BucketFailed
from calibrant.types.storage import S3Storage

KEY = "observability/files/" + "0" * 64


def error(code, status):
    return Answer(f"<Error><Code>{code}</Code><Message>s3cret</Message></Error>".encode(), status=status)


class Store:
    """A bucket over a script."""

    def __init__(self, *steps):
        self.sender = Script(*steps)
        self.bucket = Bucket(S3Storage("b", prefix="p/"), "https://s3.test", self.sender, self.sign)

    async def sign(self, call):
        return replace(call, headers=(*call.headers, ("authorization", "signed")))

    def __call__(self, name, *args):
        return asyncio.run(getattr(self.bucket, name)(*args))

    @property
    def asked(self):
        return [(call.method, call.url, call.body) for call in self.sender.calls]


def test_the_four_calls():
    store = Store(Answer(b"data", headers=(("content-length", "4"),)))
    store("put", KEY, b"data", "image/png")
    assert store("has", KEY, 4) and not store("has", KEY, 5)
    assert store("get", KEY) == b"data"
    store("delete", KEY)
    store("probe")
    url = f"https://s3.test/b/p/{KEY}"
    assert store.asked == [
        ("PUT", url, b"data"),
        ("HEAD", url, b""),
        ("HEAD", url, b""),
        ("GET", url, b""),
        ("DELETE", url, b""),
        ("PUT", "https://s3.test/b/p/.calibrant-validate", b"calibrant"),
    ]
    assert store.sender.calls[0].headers == (("content-type", "image/png"), ("authorization", "signed"))


def test_what_is_not_there():
    assert Store(Answer(b"", status=404))("has", KEY, 4) is False
    assert Store(error("NoSuchKey", 404))("get", KEY) is None
    Store(error("NoSuchKey", 404))("delete", KEY)


@pytest.mark.parametrize(
    ("step", "final", "said"),
    [
        (error("AccessDenied", 403), True, "the bucket 'b' answered PUT with status 403 AccessDenied"),
        (error("NoSuchBucket", 404), True, "status 404 NoSuchBucket"),
        (error("PermanentRedirect", 301), True, "status 301 PermanentRedirect"),
        (error("SlowDown", 503), False, "status 503 SlowDown"),
        (Answer(b"what", status=500), False, "status 500"),
        (error("RequestTimeout", 429), False, "429"),
        (Unreachable("cannot connect"), False, "the bucket 'b': cannot connect"),
        (MissingCredential("no keys for it"), False, "no keys for it"),
    ],
)
def test_a_failure_says_whether_it_is_final(step, final, said):
    with pytest.raises(BucketFailed) as caught:
        Store(step)("put", KEY, b"data")
    assert caught.value.final == final and said in str(caught.value) and "s3cret" not in str(caught.value)


def test_keys_that_may_write_and_not_look_are_no_reason_not_to_write():
    assert Store(error("", 403))("has", KEY, 4) is False
    with pytest.raises(BucketFailed):
        Store(error("SlowDown", 503))("has", KEY, 4)
    with pytest.raises(BucketFailed):
        Store(error("NoSuchBucket", 404))("get", KEY)
