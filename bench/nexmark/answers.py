"""Nexmark's answers, counted plainly from the generator's files: no line of the engine, no index, every query as its sentence says.

Each function takes the three lists of events, in the order of the files, and gives rows as dicts. Times are milliseconds since 1970.
"""

import collections
import csv
import glob
import json
import os
import re
from datetime import datetime, timezone

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
SECOND = 1000
DAY = 86_400 * SECOND
LOCAL_STATES = ("OR", "ID", "CA")
CHANNELS = {"apple": "0", "google": "1", "facebook": "2", "baidu": "3"}


def ms_of(text):
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def plain(value):
    """A value that compares: times as milliseconds, floats to twelve digits, whole ones as what they are."""
    if isinstance(value, str) and TIME.fullmatch(value):
        return ms_of(value)
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() else float(f"{value:.12g}")


def lines_of(rows):
    """Rows as texts, sorted: multisets that compare."""
    return sorted(json.dumps({name: plain(value) for name, value in row.items()}, sort_keys=True) for row in rows)


class Events:
    def __init__(self, folder):
        def load(name):
            with open(os.path.join(folder, name + ".ndjson"), encoding="utf-8") as file:
                return [json.loads(line) for line in file]

        self.persons, self.auctions, self.bids = load("person"), load("auction"), load("bid")
        self.side = {row["key"]: row["value"] for row in load("side")}
        for row in [*self.persons, *self.auctions, *self.bids]:
            row["date_time"] = ms_of(row["date_time"])
        for row in self.auctions:
            row["expires"] = ms_of(row["expires"])


def some(row, *names):
    return {name: row[name] for name in names}


def grouped(rows, key):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def window(row, size):
    return row["date_time"] - row["date_time"] % size


def day_of(row):
    return {"window_start": window(row, DAY), "window_end": window(row, DAY) + DAY}


# --- row by row ---------------------------------------------------------------------------------------------------------------


def q0(events):
    return [some(bid, "auction", "bidder", "price", "date_time", "extra") for bid in events.bids]


def q1(events):
    return [{**row, "price": 0.908 * row["price"]} for row in q0(events)]


def q2(events):
    return [some(bid, "auction", "price") for bid in events.bids if bid["auction"] % 123 == 0]


def q10(events):
    def texts(bid):
        moment = datetime.fromtimestamp(bid["date_time"] / 1000, timezone.utc)
        return {**some(bid, "auction", "bidder", "price", "date_time", "extra"), "day": moment.strftime("%Y-%m-%d"), "minute": moment.strftime("%H:%M")}

    return [{name: str(value) for name, value in texts(bid).items()} for bid in events.bids]


def q13(events):
    return [{**some(bid, "auction", "bidder", "price", "date_time"), "value": events.side[bid["auction"] % 10000]} for bid in events.bids]


def q14(events):
    rows = []
    for bid in events.bids:
        euros, hour = 0.908 * bid["price"], bid["date_time"] // (3600 * SECOND) % 24
        if 1000000 < euros < 50000000:
            kind = "dayTime" if 8 <= hour <= 18 else "nightTime" if hour <= 6 or hour >= 20 else "otherTime"
            rows.append({**some(bid, "auction", "bidder", "date_time", "extra"), "euros": euros, "bid_time_type": kind, "c_counts": bid["extra"].count("c")})
    return rows


def q21(events):
    rows = []
    for bid in events.bids:
        named = re.search(r"(?:&|^)channel_id=([^&]*)", bid["url"])
        number = CHANNELS.get(bid["channel"].lower(), named and named.group(1))
        if number is not None:
            rows.append({**some(bid, "auction", "bidder", "price", "channel"), "channel_id": number})
    return rows


def q22(events):
    return [{**some(bid, "auction", "bidder", "price", "channel"), **dict(zip(("dir1", "dir2", "dir3"), bid["url"].split("/")[3:6]))} for bid in events.bids]


# --- joins --------------------------------------------------------------------------------------------------------------------


def q3(events):
    persons = {person["id"]: person for person in events.persons if person["state"] in LOCAL_STATES}
    return [{**some(persons[auction["seller"]], "name", "city", "state"), "id": auction["id"]}
            for auction in events.auctions if auction["category"] == 10 and auction["seller"] in persons]


def q8(events):
    sellers = {(auction["seller"], window(auction, 10 * SECOND)) for auction in events.auctions}
    return [{**some(person, "id", "name"), "window_start": window(person, 10 * SECOND)}
            for person in events.persons if (person["id"], window(person, 10 * SECOND)) in sellers]


def q20(events):
    auctions = {auction["id"]: auction for auction in events.auctions if auction["category"] == 10}
    return [{**some(bid, "auction", "bidder", "price", "channel", "url", "date_time"), **some(auctions[bid["auction"]], "item_name", "seller", "category")}
            for bid in events.bids if bid["auction"] in auctions]


def winners(events):
    """(auction, its highest bid while it was open), of auctions that had one."""
    bids = grouped(events.bids, lambda bid: bid["auction"])
    for auction in events.auctions:
        valid = [bid for bid in bids[auction["id"]] if auction["date_time"] <= bid["date_time"] <= auction["expires"]]
        if valid:
            yield auction, max(valid, key=lambda bid: (bid["price"], -bid["date_time"]))


def q4(events):
    categories = grouped(winners(events), lambda pair: pair[0]["category"])
    return [{"category": category, "average": sum(bid["price"] for _, bid in pairs) / len(pairs)} for category, pairs in categories.items()]


def q6(events):
    rows = []
    for seller, pairs in grouped(winners(events), lambda pair: pair[0]["seller"]).items():
        last = sorted(pairs, key=lambda pair: (-pair[0]["expires"], -pair[0]["id"]))[:10]
        rows.append({"seller": seller, "average": sum(bid["price"] for _, bid in last) / len(last)})
    return rows


def q9(events):
    return [{**some(auction, "id", "item_name", "seller", "category"), **some(bid, "bidder", "price"), "bid_time": bid["date_time"]}
            for auction, bid in winners(events)]


# --- windows ------------------------------------------------------------------------------------------------------------------


def q5(events):
    counts = collections.defaultdict(collections.Counter)
    for bid in events.bids:
        for back in range(5):
            counts[window(bid, 2 * SECOND) - back * 2 * SECOND][bid["auction"]] += 1
    return [{"auction": auction, "num": num, "window_start": start}
            for start, auctions in counts.items() for auction, num in auctions.items() if num == max(auctions.values())]


def q7(events):
    windows = grouped(events.bids, lambda bid: window(bid, 10 * SECOND))
    highest = {start: max(bid["price"] for bid in bids) for start, bids in windows.items()}
    return [some(bid, "auction", "price", "bidder", "date_time", "extra") for start, bids in windows.items() for bid in bids if bid["price"] == highest[start]]


def q11(events):
    rows = []
    for bidder, bids in grouped(events.bids, lambda bid: bid["bidder"]).items():
        sessions = []
        for bid in bids:
            if not sessions or bid["date_time"] - sessions[-1][-1] >= 10 * SECOND:
                sessions.append([])
            sessions[-1].append(bid["date_time"])
        rows += [{"bidder": bidder, "window_start": times[0], "window_end": times[-1] + 10 * SECOND, "bid_count": len(times)} for times in sessions]
    return rows


def statistics_of(bids):
    prices = [bid["price"] for bid in bids]
    return {"total_bids": len(bids), "rank1_bids": sum(price < 10000 for price in prices), "rank2_bids": sum(10000 <= price < 1000000 for price in prices),
            "rank3_bids": sum(price >= 1000000 for price in prices), "total_bidders": len({bid["bidder"] for bid in bids}),
            "total_auctions": len({bid["auction"] for bid in bids})}


def q15(events):
    return [{**day_of(bids[0]), **statistics_of(bids)} for bids in grouped(events.bids, lambda bid: window(bid, DAY)).values()]


def q16(events):
    groups = grouped(events.bids, lambda bid: (bid["channel"], window(bid, DAY)))
    return [{"channel": channel, **day_of(bids[0]), **statistics_of(bids)} for (channel, _), bids in groups.items()]


def q17(events):
    rows = []
    for (auction, _), bids in grouped(events.bids, lambda bid: (bid["auction"], window(bid, DAY))).items():
        prices = [bid["price"] for bid in bids]
        rows.append({"auction": auction, **day_of(bids[0]), "total_bids": len(bids), "min_price": min(prices), "max_price": max(prices),
                     "avg_price": sum(prices) / len(prices), "sum_price": sum(prices)})
    return rows


def q18(events):
    groups = grouped(events.bids, lambda bid: (bid["bidder"], bid["auction"], window(bid, DAY)))
    return [{"bidder": bidder, "auction": auction, **day_of(bids[-1]), **some(bids[-1], "price", "channel"), "last_time": bids[-1]["date_time"]}
            for (bidder, auction, _), bids in groups.items()]


def q19(events):
    rows = []
    for bids in grouped(events.bids, lambda bid: (bid["auction"], window(bid, DAY))).values():
        best = sorted(bids, key=lambda bid: -bid["price"])[:10]  # stable: of equal prices the earlier bid
        rows += [{**some(bid, "auction", "bidder", "price", "date_time"), "place": place} for place, bid in enumerate(best, 1)]
    return rows


QUERIES = {name: function for name, function in globals().items() if re.fullmatch(r"q\d+", name)}


def csv_rows(folder):
    """Of the log's files: every value a text, times as the milliseconds that they are."""
    rows = []
    for path in sorted(glob.glob(os.path.join(folder, "*.csv"))):
        with open(path, encoding="utf-8", newline="") as file:
            rows += [{**row, "date_time": str(ms_of(row["date_time"]))} for row in csv.DictReader(file)]
    return rows


def ndjson_rows(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]
