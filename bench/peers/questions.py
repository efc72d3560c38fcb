"""The questions, and what makes two answers the same.

Each question names its input, our pipeline and the columns of its answer. Answers are NDJSON. A row is brought into one form by the kind of each column and the
answer is a bag of such rows: their order is nobody's promise. Kinds that forgive nothing but notation: a time may be ISO 8601 or milliseconds, a decimal is
compared at the digits that the question's arithmetic has (prices have two, 0.908 times a whole number three), because sums of floating point differ behind them.
"""

import collections
import datetime
import hashlib
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.dirname(HERE)


def as_text(value):
    return value


def as_whole(value):
    number = int(value)
    if number != float(value):
        raise ValueError(f"{value} is no whole number")
    return str(number)


def as_decimal(digits):
    return lambda value: f"{float(value):.{digits}f}"


def as_time(value):
    """Milliseconds since 1970, of ISO 8601 in UTC (with or without its Z) or of a number of milliseconds."""
    if isinstance(value, (int, float)):
        return as_whole(value)
    moment = datetime.datetime.fromisoformat(value.rstrip("Z").replace("T", " "))
    return str(round(moment.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000))


class Question:
    def __init__(self, name, data, events_of, pipeline, columns):
        self.name, self.data, self.events_of = name, data, events_of
        self.pipeline = os.path.join(BENCH, pipeline)
        self.columns = columns

    def our_options(self, folder):
        """How our pipeline is told where its input is."""
        if self.data == "clicks":
            return ["--param", f"input={folder}/clicks.ndjson"]
        return ["--param", f"folder={folder}"]

    def row(self, line):
        """The one form of a row; columns that the question does not ask for are left out."""
        said = json.loads(line)
        return "\t".join(kind(said[name]) for name, kind in self.columns)


QUESTIONS = {
    question.name: question
    for question in (
        Question(
            "yardstick",
            "clicks",
            "clicks",
            "yardstick/yardstick.evs",
            (("user_id", as_text), ("window_start", as_time), ("events", as_whole), ("value", as_decimal(2))),
        ),
        Question(
            "q1",
            "nexmark",
            "bids",
            "nexmark/q1.evs",
            (("auction", as_whole), ("bidder", as_whole), ("price", as_decimal(3)), ("date_time", as_time), ("extra", as_text)),
        ),
        Question("q2", "nexmark", "bids", "nexmark/q2.evs", (("auction", as_whole), ("price", as_whole))),
        Question("q5", "nexmark", "bids", "nexmark/q5.evs", (("auction", as_whole), ("num", as_whole), ("window_start", as_time))),
        Question(
            "q7",
            "nexmark",
            "bids",
            "nexmark/q7.evs",
            (("auction", as_whole), ("price", as_whole), ("bidder", as_whole), ("date_time", as_time), ("extra", as_text)),
        ),
        Question("q8", "nexmark", "persons and auctions", "nexmark/q8.evs", (("id", as_whole), ("name", as_text), ("window_start", as_time))),
    )
}


def lines_of(path):
    """Of a file, or of all files below a folder: an engine may write its answer in parts."""
    files = [path] if os.path.isfile(path) else [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    for name in sorted(files):
        with open(name, "rb") as file:
            yield from file


def fingerprint(question, path):
    """Rows, and the sum of their hashes: equal for two bags of rows that are equal, whatever their order, and (but for one chance in 2^128) for no others."""
    rows = total = 0
    for line in lines_of(path):
        total += int.from_bytes(hashlib.blake2b(question.row(line).encode(), digest_size=16).digest(), "little")
        rows += 1
    return rows, total % (1 << 128)


def difference(question, ours, theirs, shown=5):
    """Sentences about the rows that one of two answers has and the other has not."""
    bags = [collections.Counter(question.row(line) for line in lines_of(path)) for path in (ours, theirs)]
    for label, more in (("only ours", bags[0] - bags[1]), ("only theirs", bags[1] - bags[0])):
        yield f"{label}: {sum(more.values())} rows"
        yield from (f"    {row!r}" for row in sorted(more)[:shown])
