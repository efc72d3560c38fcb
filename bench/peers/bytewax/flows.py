"""The questions as dataflows of Bytewax: flows.py QUESTION INPUT-FOLDER OUTPUT-FILE

One worker. Lines come in batches, are parsed by orjson and cut down to what the question needs in one step, because each step in Python costs a call; windows are
Bytewax's own. Its clock belongs to a key and goes on with the system's time; a file is read faster than it was written, so the system's time stands still
here, and windows close by later events of the key and at the end of the input.
"""

import os
import sys
from datetime import datetime, timedelta, timezone

import bytewax.operators as op
import bytewax.operators.windowing as win
import orjson
from bytewax.connectors.files import FileSink, FileSource
from bytewax.dataflow import Dataflow
from bytewax.testing import run_main

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
TEN_S, MINUTE = timedelta(seconds=10), timedelta(minutes=1)
BATCH = 5000
WANTED = frozenset(("product_view", "add_to_cart", "purchase"))
moment = datetime.fromisoformat


def lines(flow, folder, name):
    return op.input(name, flow, FileSource(os.path.join(folder, name + ".ndjson"), batch_size=BATCH))


def clock(time_of, delay=timedelta(0)):
    return win.EventClock(time_of, delay, now_getter=lambda: EPOCH)


def start_of(window, every):
    """A window's number counts from the epoch."""
    return (EPOCH + window * every).isoformat()


def text(row):
    return orjson.dumps(row).decode()


def yardstick(flow, folder):
    def taken(batch):
        events = map(orjson.loads, batch)
        return [(e["user_id"], (moment(e["timestamp"]), e["properties"]["price"])) for e in events if e["event"] in WANTED]

    def add(total, event):
        return total[0] + 1, total[1] + event[1]

    def merge(one, other):
        return one[0] + other[0], one[1] + other[1]

    def row(item):
        user, (window, (events, value)) = item
        return user, text({"user_id": user, "window_start": start_of(window, MINUTE), "events": events, "value": value})

    events = op.flat_map_batch("take", lines(flow, folder, "clicks"), taken)
    windows = win.TumblingWindower(length=MINUTE, align_to=EPOCH)
    totals = win.fold_window("totals", events, clock(lambda e: e[0], timedelta(seconds=5)), windows, lambda: (0, 0.0), add, merge, ordered=False)
    return op.map("row", totals.down, row)


def q1(flow, folder):
    def taken(batch):
        return [
            ("", text({"auction": b["auction"], "bidder": b["bidder"], "price": 0.908 * b["price"], "date_time": b["date_time"], "extra": b["extra"]}))
            for b in map(orjson.loads, batch)
        ]

    return op.flat_map_batch("take", lines(flow, folder, "bid"), taken)


def q2(flow, folder):
    def taken(batch):
        return [("", text({"auction": b["auction"], "price": b["price"]})) for b in map(orjson.loads, batch) if b["auction"] % 123 == 0]

    return op.flat_map_batch("take", lines(flow, folder, "bid"), taken)


def q5(flow, folder):
    every = timedelta(seconds=2)

    def taken(batch):
        return [(str(b["auction"]), moment(b["date_time"])) for b in map(orjson.loads, batch)]

    def best(most, count):
        auction, num = count
        if num > most[0]:
            return num, [auction]
        if num == most[0]:
            most[1].append(auction)
        return most

    def rows(item):
        window, (num, auctions) = item
        return [(window, text({"auction": int(auction), "num": num, "window_start": start_of(int(window), every)})) for auction in auctions]

    windows = win.SlidingWindower(length=TEN_S, offset=every, align_to=EPOCH)
    bids = op.flat_map_batch("take", lines(flow, folder, "bid"), taken)
    counts = win.fold_window("counts", bids, clock(lambda time: time), windows, int, lambda n, _: n + 1, int.__add__, ordered=False)
    # Windows of different keys close at different times, so the best of a window is known at the end alone.
    by_window = op.map("by_window", counts.down, lambda item: (str(item[1][0]), (item[0], item[1][1])))
    return op.flat_map("rows", op.fold_final("best", by_window, lambda: (0, []), best), rows)


def q7(flow, folder):
    def taken(batch):
        return [("all", (moment(b["date_time"]), b)) for b in map(orjson.loads, batch)]

    def best(most, bid):
        price = bid[1]["price"]
        if price > most[0]:
            return price, [bid[1]]
        if price == most[0]:
            most[1].append(bid[1])
        return most

    def merge(one, other):
        return (one[0], one[1] + other[1]) if one[0] == other[0] else max(one, other, key=lambda most: most[0])

    def rows(item):
        return [("all", text({name: bid[name] for name in ("auction", "price", "bidder", "date_time", "extra")})) for bid in item[1][1][1]]

    windows = win.TumblingWindower(length=TEN_S, align_to=EPOCH)
    bids = op.flat_map_batch("take", lines(flow, folder, "bid"), taken)
    found = win.fold_window("best", bids, clock(lambda bid: bid[0]), windows, lambda: (-1, []), best, merge, ordered=False)
    return op.flat_map("rows", found.down, rows)


def q8(flow, folder):
    def persons(batch):
        return [(str(p["id"]), (moment(p["date_time"]), p["name"])) for p in map(orjson.loads, batch)]

    def auctions(batch):
        return [(str(a["seller"]), (moment(a["date_time"]), None)) for a in map(orjson.loads, batch)]

    def row(item):
        person, (window, (came, sold)) = item
        if came is None or sold is None:
            return None
        return person, text({"id": int(person), "name": came[1], "window_start": start_of(window, TEN_S)})

    sides = [op.flat_map_batch("take_" + name, lines(flow, folder, name), taken) for name, taken in (("person", persons), ("auction", auctions))]
    windows = win.TumblingWindower(length=TEN_S, align_to=EPOCH)
    joined = win.join_window("join", clock(lambda side: side[0]), windows, *sides, insert_mode="last", emit_mode="final")
    return op.filter_map("row", joined.down, row)


QUESTIONS = {flow.__name__: flow for flow in (yardstick, q1, q2, q5, q7, q8)}


def main():
    question, folder, output = sys.argv[1:]
    flow = Dataflow(question)
    op.output("out", QUESTIONS[question](flow, folder), FileSink(output))
    run_main(flow)


if __name__ == "__main__":
    main()
