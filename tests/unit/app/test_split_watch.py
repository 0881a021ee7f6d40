"""When what is remembered of splits is asked for again."""

from calibrant.app.split_watch import SplitWatch
from calibrant.store.splits import SplitMark


class Marks:
    def __init__(self):
        self.now = SplitMark()

    def mark(self):
        return self.now


def test_a_dataset_that_is_sealed_is_noticed_at_once_and_its_growth_now_and_then():
    marks, time = Marks(), [0.0]
    watch = SplitWatch(marks, lambda: time[0])
    assert watch.read() == SplitMark()
    for name in ("d", "e"):
        marks.now = SplitMark((*marks.now.versions, (name, 1)), 1)
        assert watch.read() == marks.now
    before, marks.now = marks.now, SplitMark(marks.now.versions, 7)
    time[0] = 29.0
    assert watch.read() == before
    time[0] = 31.0
    assert watch.read() == marks.now
