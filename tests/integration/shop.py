"""Clicks of the demo's invented shop, and what a plain reading of the rules makes of them.

The generator writes two files: the events as browsers send them (late, broken, prices in quotes), and a record of what it meant by each. The
answers are counted from the record, never from the events: nothing here parses what the engine parses.

A row is late when the watermark of its partition had reached the end of its window before the row came; rows that are dead move no
watermark. So the answer hangs on how many partitions the events were published to, and on nothing else.
"""

import collections
import os
import subprocess
from datetime import datetime, timezone
from decimal import Decimal

EVENTS = 20000
RATE = 10  # events a second: half an hour of traffic, dozens of windows
START = "2026-01-05T10:00:00Z"
DELAY_US = 5_000_000

Row = collections.namedtuple("Row", "line ts kind is_dead user sku quantity price")


def time_of(us):
    return datetime.fromtimestamp(us // 1_000_000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def fnv1a32(text):
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


class Shop:
    def __init__(self, suite):
        self.path = suite.path("shop.ndjson")
        record = suite.path("shop.record")
        generator = os.path.join(suite.build, "demo/evs_shop")
        subprocess.run([generator, "--events", str(EVENTS), "--rate", str(RATE), "--seed", "3", "--start", START, "--out", self.path,
                        "--record", record], check=True, capture_output=True)
        with open(record, encoding="utf-8") as file:
            self.rows = [self.row(line.rstrip("\n").split("\t")) for line in file]
        with open(self.path, encoding="utf-8") as file:
            self.lines = file.read().splitlines()
        assert len(self.lines) == len(self.rows) == EVENTS

    @staticmethod
    def row(fields):
        index, occurred, kind, flaw, user, sku, quantity, cents = (fields[i] for i in (2, 4, 5, 6, 8, 10, 12, 13))
        # Only events of one product have the price in question.
        is_dead = flaw in ("cut", "no_type", "no_time", "bad_time") or flaw == "bad_price" and sku != "-"
        return Row(int(index), int(occurred), kind, is_dead, None if user == "-" else user, None if sku == "-" else sku, int(quantity),
                   Decimal(cents) / 100)

    def dead(self):
        """The bytes of each event that cannot be read, sorted."""
        return sorted(self.lines[row.line] for row in self.rows if row.is_dead)

    def in_windows(self, window_us, partitions):
        """(row, start of its window, late?) of each row that can be read."""
        watermarks = collections.defaultdict(lambda: -(2**62))
        for row in self.rows:
            if row.is_dead:
                continue
            partition = fnv1a32(row.user or "") % partitions
            start = row.ts - row.ts % window_us
            yield row, start, watermarks[partition] >= start + window_us
            watermarks[partition] = max(watermarks[partition], row.ts - DELAY_US)

    def by_type(self, window_us, partitions):
        """Counts and late rows of each window and type."""
        counts, late = collections.Counter(), []
        for row, start, is_late in self.in_windows(window_us, partitions):
            if is_late:
                late.append((time_of(start), row.kind))
            else:
                counts[time_of(start), row.kind] += 1
        return sorted((*key, n) for key, n in counts.items()), sorted(late)

    def carts(self, window_us, partitions):
        """What was put into carts, by window and product: rows, their sum, and how many different customers."""
        rows = collections.defaultdict(list)
        for row, start, is_late in self.in_windows(window_us, partitions):
            if row.kind == "add_to_cart" and not is_late:
                rows[time_of(start), row.sku].append(row)
        return sorted((*key, len(group), sum(r.price * r.quantity for r in group), len({r.user for r in group if r.user is not None}))
                      for key, group in rows.items())
