"""Real events with answers that other tools computed, and the ways in which the same events may come.

A set is a folder of EVSTREAM_TEST_DATA. Its events become lines with an `event_id` and a time that Python can order; its answers become rows of texts,
so that a row of the engine is the same when its values are written the same. Nothing of a set is kept in the repository.
"""

import csv
import datetime
import json
import random
import re
import subprocess

HOUR_MS = 3_600_000


def is_ndjson(path):
    return path.suffixes[-1:] == [".ndjson"]


def read_lines(path):
    if is_ndjson(path):
        return path.read_text().splitlines()
    return subprocess.run(["zstd", "-dcq", str(path)], check=True, capture_output=True).stdout.decode().splitlines()


def milliseconds(value):
    """Epoch milliseconds of an event's time, which is such a number or an ISO 8601 text, in UTC without a zone."""
    if isinstance(value, int):
        return value
    moment = datetime.datetime.fromisoformat(value.replace("Z", "").replace(" ", "T"))
    return round((moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(milliseconds=1))


class Event:
    """`order` is its place among those of its time."""

    def __init__(self, order, line, time_field):
        values = json.loads(line)
        values.setdefault("event_id", str(order))
        self.order, self.values = order, values
        self.line = json.dumps(values, separators=(",", ":"))
        self.time_ms = milliseconds(values[time_field])


# --- answers ------------------------------------------------------------------------------------------------------------------


def from_csv(path, columns):
    with open(path, encoding="utf-8") as file:
        return [tuple(row[column] for column in columns or row) for row in csv.DictReader(file)]


def from_ndjson(path, columns):
    return [tuple(str(row[column]) for column in columns) for row in map(json.loads, path.read_text().splitlines())]


def from_table(path, columns):
    """Rows between blanks; a text of two words needs tabs. Times without a fraction or zone, as the tool wrote them."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [tuple(canonical(field) for field in (line.split("\t") if "\t" in line else line.split(None, len(columns) - 1))) for line in lines]


def canonical(text):
    """1753269.0040 and 1753269.004 are one number, 00:00:01 and 00:00:01.000 one moment; so is one with a T and a Z."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", text):
        return str(milliseconds(text))
    return text.rstrip("0").rstrip(".") if re.fullmatch(r"-?\d+\.\d+", text) else text


class Question:
    """A pipeline and the rows that it must give."""

    def __init__(self, name, answer, read, columns=None, options=(), needs_end=False, of_order=False, waits=False):
        self.name = name            # of the pipeline's file
        self.answer = answer        # the file of the answer, below the set's folder
        self.read, self.columns = read, columns
        self.options = list(options)
        self.needs_end = needs_end  # cannot be asked of a stream without end
        self.waits = waits          # for something that does not come: an absence, an unmatched row
        self.of_order = of_order    # another order of the events has another answer

    def expected(self, folder):
        return sorted(tuple(map(canonical, row)) for row in self.read(folder / self.answer, self.columns))

    def rows(self, text):
        return sorted(tuple(canonical(as_text(value)) for value in json.loads(line, parse_float=str).values()) for line in text.splitlines())


class LateRows(Question):
    """How many rows are late at a delay: the rows of the side output are counted."""

    def __init__(self, name, answer, delay):
        super().__init__(name, answer, from_csv, options=["--param", f"delay={delay}"], of_order=True)
        self.delay = delay

    def expected(self, folder):
        return [(late,) for delay, late in self.read(folder / self.answer, None) if delay == str(self.delay)]

    def rows(self, text):
        return [(str(len(text.splitlines())),)]


def as_text(value):
    return value if isinstance(value, str) else json.dumps(value)


# --- sets -----------------------------------------------------------------------------------------------------------------------


class Set:
    def __init__(self, name, sources, declared, time_field, key, delay, questions):
        self.name = name
        self.sources = sources      # {source: file}
        self.declared = declared    # the file that declares them
        self.time_field = time_field
        self.key = key              # by which a partition can be dealt out that falls idle: of users of whom some stay away
        self.delay = delay          # seconds, out of order as the set is
        self.questions = questions

    def files(self, root):
        return [root / self.name / file for file in self.sources.values()]

    def read(self, root):
        """{source: events}"""
        paths = dict(zip(self.sources, self.files(root)))
        return {source: [Event(order, line, self.time_field) for order, line in enumerate(read_lines(path))] for source, path in paths.items()}


def shop_questions():
    names = ["a_tumbling_1h_by_type", "b_sessions_30m", "c_funnel_levels_1h", "c_funnel_matches_skip_past_last", "d_abandoned_any_item_30m",
             "d_abandoned_same_item_30m", "e_top10_items_per_hour", "f_distinct_users_per_day", "g_interval_join_24h", "h_hopping_1h_10m_by_type"]
    questions = [Question(name, f"answers/{name}.csv", from_csv, waits=name[0] == "d") for name in names]
    for name in ("b_top10_by_duration", "b_top10_by_events"):
        questions.append(Question(name, f"answers/{name}.csv", from_csv, needs_end=True))
    for name in ("d_abandoned_any_item_30m", "d_abandoned_same_item_30m"):
        questions.append(Question(f"{name}.join", f"answers/{name}.csv", from_csv, waits=True))
    return questions


def shop(name):
    return Set(name, {"events": "events.ndjson.zst"}, "shop.evs", "ts", "user", 0, shop_questions())


def cars():
    most_active = ["count", "driver_id", "end", "row_number", "start"]
    questions = [Question("hourly_by_event_type", "hourly_by_event_type.json", from_ndjson, ["event_type", "hour", "count"]),
                 Question("most_active_driver_last_hour", "most_active_driver_last_hour.json", from_ndjson, most_active)]
    return Set("cars", {"cars": "cars.ndjson.zst"}, "cars.evs", "timestamp", None, 30, questions)


def access_log():
    answer = "answers/b_late_rows_10s_tumbling.csv"
    questions = [Question("a_tumbling_1h_by_status", "answers/a_tumbling_1h_by_status.csv", from_csv)]
    questions += [LateRows("b_late_rows_10s_tumbling", answer, delay) for delay in (0, 1, 5, 10, 20, 30, 45, 59, 60)]
    return Set("access_log", {"requests": "events.ndjson.zst"}, "access_log.evs", "ts", None, 60, questions)


def nexmark():
    columns = {"q0": 4, "q1": 4, "q2": 2, "q3": 4, "q5": 2, "q7": 4, "q8": 3}
    names = [*columns, "q7.join"]
    questions = [Question(name, f"expected/{name.split('.')[0]}.txt", from_table, range(columns[name.split(".")[0]]), needs_end=name == "q3")
                 for name in names]
    return Set("nexmark", {"person": "person.ndjson", "auction": "auction.ndjson", "bid": "bid.ndjson"}, "nexmark.evs", "date_time", None, 0, questions)


SETS = [shop("rees46"), shop("otto"), cars(), access_log(), nexmark()]


# --- variations: {source: events} to {source: events} ------------------------------------------------------------------------------


def shuffled(events, delay, dice):
    """Each row comes up to `delay` seconds later than it would. Rows of one time keep their order: it is part of the question."""
    times = {}
    for event in events:
        times.setdefault(event.time_ms, []).append(event)
    arrivals = []
    for time_ms, together in times.items():
        moments = sorted(time_ms + dice.uniform(0, delay * 1000) for _ in together)
        arrivals += [(moment, event.order, event) for moment, event in zip(moments, together)]
    return [event for _, _, event in sorted(arrivals, key=lambda arrival: arrival[:2])]


def with_duplicates(events, dice):
    """A fifth of the rows comes again, once or twice, up to 50 rows and less than an hour later."""
    places = []
    for place, event in enumerate(events):
        places.append((place, 0, event))
        for _ in range(dice.choice((0, 0, 0, 0, 0, 0, 0, 0, 1, 2))):
            later = min(place + dice.randint(0, 50), len(events) - 1)
            while abs(events[later].time_ms - event.time_ms) >= HOUR_MS:
                later -= 1
            places.append((later, 1, event))
    return [event for _, _, event in sorted(places, key=lambda at: at[:2])]


def draw(seed):
    return random.Random(seed)
