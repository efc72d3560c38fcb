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
