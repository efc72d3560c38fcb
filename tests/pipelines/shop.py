"""Weeks of the demo's shop (evs_shop --days), as JSON lines for the engine and as plain dicts for the recount."""

import json
import os
import random
import re
import subprocess
from datetime import datetime, timezone
from decimal import Decimal

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def us_of(text):
    head, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(head).replace(tzinfo=timezone.utc).timestamp())
    return seconds * 1_000_000 + int(fraction.ljust(6, "0")[:6] or 0)


def time_of(us):
    return datetime.fromtimestamp(us // 1_000_000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{us % 1_000_000:06d}Z"


def load(line):
    return json.loads(line, parse_float=Decimal)


def event_of(line):
    e = load(line)
    context = e["context"]
    campaign = context.get("campaign", {})
    return {**e["properties"], "at": us_of(e["occurred_at"]), "id": e["event_id"], "type": e["type"], "user": e["user_id"], "visitor": e["anonymous_id"],
            "campaign": campaign.get("name"), "via": campaign.get("source"), "url": context["page"]["url"], "agent": context["userAgent"]}


class RealHours:
    """Three hours of a real shop (shared data, rees46), said as the collector would say it."""

    TYPES = {"view": "product_view", "add_to_cart": "add_to_cart", "purchase": "purchase"}

    def __init__(self, suite):
        unpacked = subprocess.run(["zstd", "-dc", suite.data("rees46/events.ndjson.zst")], check=True, capture_output=True).stdout
        self.lines = [self.canonical(json.loads(line)) for line in unpacked.decode().splitlines()]
        self.events = [event_of(line) for line in self.lines]
        self.path = suite.write("rees46.ndjson", "".join(line + "\n" for line in self.lines))

    def canonical(self, e):
        price = e["props"]["price"]
        properties = {"sku": e["item"], "price": price, "quantity": 1}
        if e["type"] == "purchase":
            properties = {"value": price, "order_id": e["event_id"], "products": [{"sku": e["item"], "price": price}]}
        return json.dumps({"event_id": e["event_id"], "type": self.TYPES[e["type"]], "occurred_at": time_of(e["ts"] * 1000), "user_id": e["user"],
                           "anonymous_id": e["user"], "properties": properties, "context": {"page": {"url": "https://shop.example/"}, "userAgent": None}})


class Weeks:
    def __init__(self, suite, count, days, seed):
        path = suite.path("weeks.ndjson")
        generator = os.path.join(suite.build, "demo/evs_shop")
        subprocess.run([generator, "--events", str(count), "--days", str(days), "--seed", str(seed), "--start", "2026-01-05T00:00:00Z", "--out", path],
                       check=True, capture_output=True)
        with open(path, encoding="utf-8") as file:
            self.lines = file.read().splitlines()
        self.events = [event_of(line) for line in self.lines]
        assert len(self.lines) == count and all(a["at"] <= b["at"] for a, b in zip(self.events, self.events[1:]))
        self.in_order = path
        self.disturbed = suite.write("disturbed.ndjson", "".join(line + "\n" for line in self.disturb(random.Random(seed))))

    def disturb(self, dice):
        """Each event comes up to ten minutes late, so in another order; one in twenty comes twice, within half an hour."""
        arrivals = []
        for event, line in zip(self.events, self.lines):
            arrivals.append((event["at"] + dice.randrange(600_000_000), len(arrivals), line))
            if dice.random() < 0.05:
                arrivals.append((event["at"] + dice.randrange(1_800_000_000), len(arrivals), line))
        return [line for _, _, line in sorted(arrivals)]
