"""Clicks of the fault rounds, and what a plain reading of the rules makes of them.

The recount takes the messages that the engine has read, in their order, and nothing else of the engine: its answers come from the tuples that
the generator has made, never from JSON. A row's lateness hangs on the rows before it in its own partition (docs/language.md, event time), and
all rows of a user lie in one partition, so no interleaving of partitions changes an answer.
"""

import collections
from datetime import datetime, timezone

PARTITIONS = 4
USERS = 300
EVENTS_PER_MESSAGE = 100
WINDOW_US = 60_000_000
DELAY_US = 2_000_000
WITHIN_US = 20_000_000
STEP_US = 18_000
START_US = int(datetime(2026, 1, 5, 10, tzinfo=timezone.utc).timestamp()) * 1_000_000

Click = collections.namedtuple("Click", "id type user price ts")

# Sinks of every kind and delivery on one query; a sequence, whose order hangs on single rows; late rows.
PIPELINE = """
pipeline {name};
create source clicks (
    id    int64 not null,
    type  string not null,
    user  string not null,
    price int64 not null,
    ts    timestamp not null,
    watermark for ts as ts - interval 2 second
) from nats (stream = 'CLICKS', subject = 'clicks.>', partitions = 4, on_future = 'keep', idle_timeout = {idle});

create sink fast to nats (stream = 'TRIGGERS', subject = 'triggers.fast.{{user}}', delivery = 'fast');
create sink exact to nats (stream = 'TRIGGERS', subject = 'triggers.exact.{{user}}', delivery = 'exact');
create sink matches to nats (stream = 'TRIGGERS', subject = 'triggers.matches.{{user}}', delivery = 'fast');
create sink late to nats (stream = 'TRIGGERS', subject = 'triggers.late.x', delivery = 'exact');
create sink entries to redis (key = 'rows:{name}');
create sink lines to file (path = '{lines}');

create stream totals as
from clicks |> aggregate count(*) as events, sum(price) as value group by user, tumble(interval 60 second) late into late;
from totals |> insert into fast;
from totals |> insert into exact;
from totals |> insert into entries;
from totals |> insert into lines;
from clicks
|> sequence by user view as type = 'view' then buy as type = 'buy' within interval 20 second
   select user, view.id as view_id, buy.id as buy_id
|> insert into matches;
"""


def fnv1a32(text):
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


PARTITION = {f"u{number}": fnv1a32(f"u{number}") % PARTITIONS for number in range(USERS)}


class Generator:
    """Messages of clicks that go on in event time: 3 % are behind by less than the watermark's delay, 1 % by up to three windows."""

    def __init__(self, rng):
        self.random = rng
        self.number = 0
        self.open = [[] for _ in range(PARTITIONS)]

    def click(self):
        rng = self.random
        # The microsecond is the click's own number, so that no two rows of a user have one time.
        ts = START_US + self.number * STEP_US
        lot = rng.random()
        if lot < 0.04:
            behind = rng.randrange(1_900) if lot < 0.03 else rng.randrange(5_000, 180_000)
            ts -= behind * 1_000
        ts += self.number % 997
        self.number += 1
        kind = ("view", "view", "view", "cart", "buy")[int(rng.random() * 5)]
        return Click(self.number, kind, f"u{int(rng.random() * USERS)}", int(rng.random() * 10_000), ts)

    def message(self):
        """(partition, clicks) of the next full message."""
        while True:
            click = self.click()
            partition = PARTITION[click.user]
            self.open[partition].append(click)
            if len(self.open[partition]) == EVENTS_PER_MESSAGE:
                return self.take(partition)

    def take(self, partition):
        clicks, self.open[partition] = self.open[partition], []
        return partition, clicks

    def rest(self):
        return [self.take(partition) for partition in range(PARTITIONS) if self.open[partition]]


def time_text(us):
    moment = datetime.fromtimestamp(us // 1_000_000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    micros = us % 1_000_000
    return f"{moment}.{micros:06d}Z" if micros % 1000 else f"{moment}.{micros // 1000:03d}Z" if micros else moment + "Z"


def payload(clicks):
    return "\n".join(f'{{"id":{c.id},"type":"{c.type}","user":"{c.user}","price":{c.price},"ts":"{time_text(c.ts)}"}}' for c in clicks).encode()


class Recount:
    """What each sink must hold after these messages: (partition, clicks) in the order of the stream."""

    def __init__(self, messages):
        self.totals = collections.defaultdict(lambda: [0, 0])
        self.late = collections.Counter()
        self.matches = collections.Counter()
        self.events = 0
        by_user = collections.defaultdict(list)
        watermarks = [-(2**62)] * PARTITIONS
        for partition, clicks in messages:
            watermark = watermarks[partition]
            for place, click in enumerate(clicks):
                self.count(click, watermark)
                if click.ts >= watermark:
                    by_user[click.user].append(click)
                watermark = max(watermark, click.ts - DELAY_US)
            watermarks[partition] = watermark
            self.events += len(clicks)
        for clicks in by_user.values():
            self.follow(sorted(clicks, key=lambda click: click.ts))

    def count(self, click, watermark):
        start = click.ts - click.ts % WINDOW_US
        if watermark >= start + WINDOW_US:
            self.late[click.id] += 1
            return
        group = self.totals[click.user, start]
        group[0] += 1
        group[1] += click.price

    def follow(self, clicks):
        """Views and the purchase behind them; a match drops the attempts that were opened before it."""
        attempts = []
        for click in clicks:
            attempts = [view for view in attempts if click.ts <= view.ts + WITHIN_US]
            if click.type == "buy" and attempts:
                self.matches[attempts[0].id, click.id] += 1
                attempts = []
            elif click.type == "view":
                attempts.append(click)

    def rows(self):
        """{sink: a counter of its rows, as tuples}."""
        totals = collections.Counter({(user, time_text(start), events, value): 1 for (user, start), (events, value) in self.totals.items()})
        return {"fast": totals, "exact": totals, "entries": totals, "lines": totals, "matches": self.matches, "late": self.late}


def row_of(sink, row):
    """The tuple of a row that a sink holds, as `rows` has it."""
    if sink == "matches":
        return row["view_id"], row["buy_id"]
    if sink == "late":
        return row["id"]
    return row["user"], row["window_start"], row["events"], row["value"]
