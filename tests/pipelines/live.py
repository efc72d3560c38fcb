"""The same weeks through JetStream, with state in Redis and evstream killed with -9 on the way; and the triggers of campaigns through campaign_control."""

import collections
import json
import os
import re
import signal

from cases import CASES, expected
from control import Control
from evs import ROOT, Engine, Nats, Redis, Suite, same, wait_until
from shop import load

NAMES = ("cart_abandonment", "back_in_stock", "session_summaries")
KILLS = 3
DELAY_S = 600
PEOPLE = 60


class Live:
    def __init__(self, suite: Suite, weeks, compare_rows):
        self.suite, self.weeks, self.compare_rows = suite, weeks, compare_rows
        self.nats = self.redis = None

    def start_servers(self):
        if self.nats is None:
            folder = self.suite.path("live")
            os.makedirs(folder)
            self.nats, self.redis = Nats(folder), Redis(folder, "--appendfsync", "everysec")
            self.suite.feed(self.nats, "CLICKS", "clicks", self.weeks.disturbed, "--partitions", 16, "--key", "user_id", "--events", 5)
            self.suite.feed(self.nats, "CLICKS", "clicks", self.closing(), "--partitions", 16, "--key", "user_id")

    def closing(self):
        """Months later somebody passes by in every partition: all that is due has come."""
        events = [{"event_id": f"z{i}", "type": "page", "occurred_at": "2026-10-01T00:00:00Z", "user_id": f"passer-{i}", "properties": {},
                   "context": {"page": {"url": "https://shop.example/"}}} for i in range(300)]
        return self.suite.write("closing.ndjson", "".join(json.dumps(event) + "\n" for event in events))

    def arguments(self, name, *more):
        return [os.path.join(ROOT, "pipelines", name + ".evs"), "--create", "--nats", self.nats.url, "--redis", self.redis.url, "--quiet", "--listen", "off",
                *more]

    def killed(self, name):
        self.start_servers()
        parameters = [f"--param={key}={value}" for key, value in {**CASES[name].options, "delay": f"{DELAY_S}s"}.items()]
        arguments = self.arguments(name, *parameters, "--batch-rows", 1, "--checkpoint-interval", "50ms")
        wanted = expected(name, self.weeks.events, None, DELAY_S * 1_000_000)
        in_the_middle = 0
        for number in range(KILLS):
            engine = Engine(self.suite, arguments, f"{name}-{number}")
            begun = self.redis.newest_commit(name)[0]
            wait_until(lambda: engine.has_ended() or self.redis.newest_commit(name)[0] > begun, f"a commit of {name}")
            same([engine.has_ended()], [False], engine.log_tail())
            engine.kill()
            in_the_middle += len(self.triggers_of(name)) < len(wanted)
        if in_the_middle == 0:
            raise AssertionError("it was never killed in the middle")
        last = Engine(self.suite, [*arguments, "--until-end", "--at-end", "stop"], f"{name}-last")
        same([last.wait()], [0], last.log_tail())
        lines = self.triggers_of(name)
        same([len({id_ for id_, _ in lines})], [len(lines)], "different ids")
        self.compare_rows([load(row) for _, row in lines], wanted, name)

    def triggers_of(self, name):
        try:
            return [line.split("\t", 1) for line in self.suite.dump(self.nats, "TRIGGERS", "--id", "--subject", f"triggers.{name}.>")]
        except AssertionError:
            return []  # the stream is not there yet

    def one_customer(self):
        """A replay tells the cart of a shop with one customer, although fifteen partitions are empty and hold nothing back."""
        self.start_servers()
        events = [{"event_id": str(i), "type": kind, "occurred_at": f"2026-01-05T1{i}:00:00Z", "user_id": "ann", "properties": {"sku": "lamp", "price": 59}}
                  for i, kind in enumerate(("add_to_cart", "page", "page"))]
        self.suite.feed(self.nats, "ONE", "one", self.suite.write("one.ndjson", "".join(json.dumps(e) + "\n" for e in events)), "--partitions", 16,
                        "--key", "user_id", "--suffix", "web")
        with open(os.path.join(ROOT, "pipelines/cart_abandonment.evs"), encoding="utf-8") as file:
            copy = self.suite.write("one.evs", file.read().replace("stream = 'CLICKS', subject = 'clicks.>'", "stream = 'ONE', subject = 'one.>'"))
        for workers in (1, 2, 4):
            done = self.suite.run("replay", copy, "--from", "earliest", "--quiet", "--nats", self.nats.url, "--parallelism", workers)
            same([json.loads(line)["user_id"] for line in done.stdout.splitlines()], ["ann"], f"with {workers} workers, {done.stderr.decode()}")

    # --- campaign_control ---------------------------------------------------------------------------------------------------------

    def triggers(self):
        """Each person has something of three campaigns; what is known of them goes by their number."""
        for i in range(PEOPLE):
            if i % 6 != 5:
                self.redis.ask("HSET", f"profile:p{i}", "consent", "false" if i % 6 == 4 else "true")
            if i % 6 == 3:
                self.redis.ask("HSET", f"suppressed:p{i}", "reason", "complaint")
        rows = [{"trigger_id": f"{campaign}-{i}", "campaign": campaign, "user_id": f"p{i}", **({"triggered_at": "2026-01-05T00:00:00Z"} if i % 6 == 2 else {})}
                for campaign in ("browse_abandonment", "cart_abandonment", "checkout_abandonment") for i in range(PEOPLE)]
        return rows

    def control(self):
        """All triggers come at once: of each person the checkout is what speaks, the two others are vetoed by priority. Whatever happens to the process, each
        trigger ends in exactly one place, and those who were held out are told."""
        self.start_servers()
        rows = self.triggers()
        path = self.suite.write("triggers.ndjson", "".join(json.dumps(row) + "\n" for row in rows))
        self.suite.feed(self.nats, "CONTROL", "control.any", path, "--events", 200)
        with open(os.path.join(ROOT, "pipelines/campaign_control.evs"), encoding="utf-8") as file:
            text = file.read()
        sample = json.loads(re.search(r"^--     (\{.*\})$", text, re.M).group(1))
        copy = self.suite.write("campaign_control.evs", text.replace("stream = 'TRIGGERS', subject = 'triggers.>'", "stream = 'CONTROL', subject = 'control.>'"))
        options = ["--param=quiet_from=00:00:00", "--param=quiet_until=00:00:00", "--param=holdout=30", "--param=together=1s", "--param=idle=1s",
                   "--param=delay=0s"]
        arguments = [copy, *self.arguments("campaign_control", *options, "--checkpoint-interval", "50ms")[1:]]
        first = Engine(self.suite, arguments, "control-first")
        wait_until(lambda: first.has_ended() or self.redis.newest_commit("campaign_control")[0] >= 2, "commits of campaign_control")
        first.kill()
        second = Engine(self.suite, arguments, "control-second")
        wait_until(lambda: second.has_ended() or self.settled() >= len(rows), f"the last trigger\n{second.log_tail()}")
        second.signal(signal.SIGTERM)
        same([second.wait()], [0], second.log_tail())
        messages, vetoes, exposures = (self.rows_of(stream) for stream in ("MESSAGES", "VETOES", "EXPOSURES"))
        same(sorted(row["trigger_id"] for row in messages + vetoes), sorted(row["trigger_id"] for row in rows), "each trigger once")
        same([sorted(row) for row in messages[:1]], [sorted(sample)], "columns of the sample")
        reasons = collections.Counter(row["veto"] for row in vetoes)
        due = PEOPLE // 6 * 2  # of i % 6 in 0 and 1
        same({k: v for k, v in reasons.items() if k != "holdout"}.items(),
             {"priority": 2 * PEOPLE, "expired": PEOPLE // 6, "suppressed": PEOPLE // 6, "consent": PEOPLE // 3}.items(), "reasons")
        same([len(messages) + reasons["holdout"]], [due], "messages and people held out")
        groups = {row["user_id"]: row["test_group"] for row in exposures}
        wanted = {**{row["user_id"]: "treated" for row in messages}, **{row["user_id"]: "held_out" for row in vetoes if row["veto"] == "holdout"}}
        same(sorted(groups.items()), sorted(wanted.items()), "who was exposed")
        same([row["trigger_id"].split("-")[0] for row in messages], ["checkout_abandonment"] * len(messages), "what was sent")

    def settled(self):
        try:
            return len(self.rows_of("MESSAGES")) + len(self.rows_of("VETOES"))
        except AssertionError:
            return 0  # a stream is not there yet

    def rows_of(self, stream):
        return [json.loads(line) for line in self.suite.dump(self.nats, stream)]


def add_tests(suite, weeks, compare_rows):
    live = Live(suite, weeks, compare_rows)
    for name in NAMES if suite.full else NAMES[:1] if suite.quick else NAMES[:2]:
        suite.test(f"live {name}, killed", lambda name=name: live.killed(name))
    suite.test("a replay of a shop with one customer", live.one_customer)
    suite.test("live campaign_control, killed", live.control)

    def waves():
        live.start_servers()
        Control(live, waves=20 if suite.full else 4, people=80).run()

    if not suite.quick:
        suite.test("live campaign_control, recounted", waves)
