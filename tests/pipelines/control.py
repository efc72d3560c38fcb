"""campaign_control, recounted: waves of triggers through JetStream, evstream killed with -9 between and within them, and after each wave every trigger where a plain reading of
the pipeline's head says.

The pipeline's time is when a trigger came, so a wave is one message: its triggers compete with each other, and those of other waves do not. Who sleeps is decided by zones half a day apart.
"""

import json
import os
import random
import signal
from datetime import datetime, timedelta, timezone

from evs import ROOT, Engine, same, wait_until

PRIORITY = {"checkout_abandonment": 90, "cart_abandonment": 80, "back_in_stock": 70, "price_drop": 60, "browse_abandonment": 50, "birthday": 10}
PERSON_CAP = 2
HOLDOUT = 30
ASLEEP, AWAKE = "Etc/UTC", "Etc/GMT+12"
LONG_AGO = "2026-01-01T00:00:00Z"
DELAY_S = 10  # how late a purchase may come: all of a wave are written by one program behind their time, and the join leaves later ones out


def text_of(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class People:
    """What is known of each, and what a plain reading of the guards makes of it."""

    def __init__(self, dice, count):
        self.dice = dice
        self.names = [f"c{i}" for i in range(count)]
        self.profiles, self.suppressed, self.bought = {}, set(), {}
        for name in self.names:
            if dice.random() < 0.9:
                profile = {"consent": dice.choice(("true", "true", "true", "true", "false"))}
                if dice.random() < 0.4:
                    profile["time_zone"] = dice.choice((ASLEEP, AWAKE, "Mars/Olympus"))
                self.profiles[name] = profile
            if dice.random() < 0.1:
                self.suppressed.add(name)
        self.seen, self.by_campaign, self.by_person = set(), {}, {}

    def sleeps(self, name):
        return self.profiles.get(name, {}).get("time_zone") == ASLEEP

    def triggers(self, wave, now):
        """Of each person none to four, some of them told once more, or told for the second time under an id of an earlier wave."""
        rows = []
        for name in self.names:
            for i in range(self.dice.randrange(5)):
                since = self.dice.choice((now, now, now - timedelta(seconds=self.dice.randrange(1, 3000)), None))
                rows.append({"trigger_id": f"w{wave}-{name}-{i}", "campaign": self.dice.choice(list(PRIORITY)), "user_id": name,
                             "triggered_at": LONG_AGO if self.dice.random() < 0.1 else text_of(since or now)})
        rows += [dict(row) for row in rows if self.dice.random() < 0.1]
        rows += [{**row, "trigger_id": id_} for row, id_ in zip(self.dice.sample(rows, min(len(rows), 5)), sorted(self.seen))]
        self.dice.shuffle(rows)
        return rows

    def verdict(self, row):
        name, campaign = row["user_id"], row["campaign"]
        if row["triggered_at"] == LONG_AGO:
            return "expired"
        if name in self.suppressed:
            return "suppressed"
        if self.profiles.get(name, {}).get("consent") != "true":
            return "consent"
        if self.bought.get(name, "") > row["triggered_at"]:
            return "bought"
        if self.by_campaign.get((name, campaign), 0) >= 1:
            return "campaign_cap"
        self.by_campaign[name, campaign] = 1  # counted, whatever the next guard says
        if self.by_person.get(name, 0) >= PERSON_CAP:
            return "person_cap"
        self.by_person[name] = self.by_person.get(name, 0) + 1
        return "due"

    def judge(self, rows):
        """{trigger_id: what becomes of it}; nothing of those who sleep, and of what was told before."""
        competing, verdicts = {}, {}
        for row in rows:
            if row["trigger_id"] not in self.seen:
                self.seen.add(row["trigger_id"])
                if not self.sleeps(row["user_id"]):
                    competing.setdefault(row["user_id"], []).append(row)
        for own in competing.values():
            own.sort(key=lambda row: (-PRIORITY[row["campaign"]], row["triggered_at"], row["trigger_id"]))
            verdicts[own[0]["trigger_id"]] = self.verdict(own[0])
            verdicts.update({row["trigger_id"]: "priority" for row in own[1:]})
        return verdicts


class Control:
    def __init__(self, live, waves, people):
        self.live, self.suite, self.waves = live, live.suite, waves
        self.people = People(random.Random(people), people)
        now = datetime.now(timezone.utc)
        self.quiet = [(now + timedelta(hours=hours)).strftime("%H:00:00") for hours in (-3, 4)]

    def copy(self):
        with open(os.path.join(ROOT, "pipelines/campaign_control.evs"), encoding="utf-8") as file:
            text = file.read()
        for old, new in (("stream = 'TRIGGERS', subject = 'triggers.>'", "stream = 'WAVES', subject = 'waves.>'"),
                         ("stream = 'CLICKS', subject = 'clicks.>'", "stream = 'BUYS', subject = 'buys.>'"), ("'MESSAGES', subject = 'messages.", "'WMESSAGES', subject = 'wmessages."),
                         ("'VETOES', subject = 'vetoes.", "'WVETOES', subject = 'wvetoes."), ("'EXPOSURES', subject = 'exposures.", "'WEXPOSURES', subject = 'wexposures.")):
            assert old in text, old
            text = text.replace(old, new)
        return self.suite.write("control_waves.evs", text)

    def start(self, number):
        options = [f"--param=quiet_from={self.quiet[0]}", f"--param=quiet_until={self.quiet[1]}", f"--param=zone={AWAKE}", f"--param=holdout={HOLDOUT}", f"--param=person_cap={PERSON_CAP}",
                   "--param=together=1s", "--param=idle=1s", f"--param=delay={DELAY_S}s", "--checkpoint-interval", "50ms"]
        return Engine(self.suite, [self.copy(), *self.live.arguments("campaign_control", *options)[1:]], f"control-waves-{number}")

    def feed(self, stream, subject, rows, *more):
        path = self.suite.write(f"{stream}.ndjson", "".join(json.dumps(row) + "\n" for row in rows))
        self.suite.feed(self.live.nats, stream, subject, path, *more)

    def buy(self, wave, now):
        """Some buy now, behind all that they are triggered for until now."""
        rows = [{"event_id": f"b{wave}-{name}", "type": "purchase", "occurred_at": text_of(now), "user_id": name, "properties": {}}
                for name in self.people.names if self.people.dice.random() < 0.15]
        self.people.bought.update({row["user_id"]: row["occurred_at"] for row in rows})
        self.feed("BUYS", "buys", rows, "--partitions", 16, "--key", "user_id")

    def rows(self, stream):
        try:
            return self.live.rows_of(stream)
        except AssertionError:
            return []  # the stream is not there yet

    def found(self):
        told = [(row["trigger_id"], row["veto"]) for row in self.rows("WVETOES")] + [(row["trigger_id"], "sent") for row in self.rows("WMESSAGES")]
        return sorted(told)

    def check(self, wanted):
        found = self.found()
        same([(id_, "due" if what in ("sent", "holdout") else what) for id_, what in found], sorted(wanted.items()), "what became of each trigger")
        groups = {row["trigger_id"]: (row["user_id"], row["test_group"]) for row in self.rows("WEXPOSURES")}
        same(sorted((id_, group) for id_, (_, group) in groups.items()),
             sorted((id_, {"sent": "treated", "holdout": "held_out"}[what]) for id_, what in found if what in ("sent", "holdout")), "exposures")
        same(sorted(set(groups.values())), sorted({name: (name, group) for name, group in groups.values()}.values()), "each person is in one group")
        return {what for _, what in found}

    def run(self):
        for name, profile in self.people.profiles.items():
            self.live.redis.ask("HSET", f"profile:{name}", *[text for pair in profile.items() for text in pair])
        for name in self.people.suppressed:
            self.live.redis.ask("HSET", f"suppressed:{name}", "reason", "complaint")
        self.feed("WAVES", "waves.any", [{"trigger_id": "nobody"}])
        self.feed("BUYS", "buys", [{"event_id": "b", "type": "page", "occurred_at": LONG_AGO, "user_id": "passer"}], "--partitions", 16, "--key", "user_id")
        engine, wanted = self.start(0), {}
        for wave in range(self.waves):
            now = datetime.now(timezone.utc)
            self.buy(wave, now - timedelta(seconds=1))
            rows = self.people.triggers(wave, now)
            wanted.update(self.people.judge(rows))
            self.feed("WAVES", "waves.any", rows, "--events", 1000)
            if wave % 2:
                engine.kill()
                engine = self.start(wave)
            wait_until(lambda: engine.has_ended() or len(self.found()) >= len(wanted), f"wave {wave}\n{engine.log_tail()}")
            same([engine.has_ended()], [False], engine.log_tail())
            told = self.check(wanted)
        engine.signal(signal.SIGTERM)
        same([engine.wait()], [0], engine.log_tail())
        self.check(wanted)
        same(sorted(told), sorted({"expired", "suppressed", "consent", "bought", "campaign_cap", "person_cap", "priority", "holdout", "sent"}), "every guard has said no")
