"""One pipeline in several groups, run by several engines: they share the groups fairly, one is killed under load, one is stopped and woken, servers restart. The results
are those of one engine with one group that nobody disturbed, and nothing comes twice.
"""

import json
import re
import signal
import subprocess

from evs import Engine, same, wait_until
from groups import PORTIONS, Groups

PARTITIONS = 8
GROUPS = ("1-0", "1-1", "1-2")

PIPELINE = """
pipeline {name};
set checkpoint_interval = '50ms';
{groups}

create source clicks (
    event     string not null,
    timestamp timestamp not null,
    user_id   string not null,
    price     numeric path '$.properties.price',
    watermark for timestamp as timestamp - interval 2 second
) from nats (stream = '{stream}', subject = '{subject}.>', partitions = 8, partition_key = 'user_id', on_future = 'keep', idle_timeout = 'never');

create sink triggers to nats (stream = 'TRIGGERS', subject = 'triggers.{name}.{{user_id}}');
create sink exact to nats (stream = 'TRIGGERS', subject = 'triggers.{name}-exact.{{user_id}}', delivery = 'exact');
create sink funnels to nats (stream = 'TRIGGERS', subject = 'triggers.{name}-funnel.{{user_id}}');

create stream totals as
from clicks
|> where event in ('product_view', 'add_to_cart', 'purchase')
|> aggregate count(*) as events, sum(price) as value group by user_id, tumble(interval 30 second);

from totals |> insert into triggers;
from totals |> where value > 500 |> insert into exact;

from clicks as early
|> where event = 'product_view'
|> join clicks as late on late.user_id = early.user_id and late.event = 'purchase'
     and late.timestamp between early.timestamp and early.timestamp + interval 1 second
|> select early.user_id as user_id, early.timestamp as seen, late.timestamp as bought
|> insert into funnels;
"""

# Every operator that keeps something, for one event type each, so that their states are of different keys and moments.
OPERATORS = """
create sink others to nats (stream = 'TRIGGERS', subject = 'triggers.{name}-other.{{user_id}}');
from clicks |> where event = 'purchase' |> aggregate count(*) as n group by user_id, session(interval 5 second) |> select 'session' as op, user_id, n, window_end as moment |> insert into others;
from clicks |> aggregate count(*) as n group by user_id, hop(interval 10 second, interval 2 second) |> where n > 5 |> select 'hop' as op, user_id, n, window_end as moment |> insert into others;
from clicks |> aggregate count(distinct event) as n group by user_id, tumble(interval 20 second) |> select 'distinct' as op, user_id, n, window_end as moment |> insert into others;
from clicks |> deduplicate by user_id, event within interval 20 second |> select 'deduplicate' as op, user_id, 1 as n, timestamp as moment |> insert into others;
from clicks |> where event = 'add_to_cart' |> throttle 2 per interval 10 second by user_id |> select 'throttle' as op, user_id, 2 as n, timestamp as moment |> insert into others;
from clicks |> extend lag(event) over (partition by user_id order by timestamp retain interval 1 hour) as before |> where before = 'purchase' |> select 'over' as op, user_id, 3 as n, timestamp as moment |> insert into others;
from totals |> join totals as again using (user_id, window_start, window_end) |> select 'windows' as op, user_id, again.events as n, window_end as moment |> insert into others;
from clicks
|> sequence by user_id view as event = 'product_view' then no buy as event = 'purchase' within interval 5 second select user_id, view.timestamp as moment
|> select 'sequence' as op, user_id, 4 as n, moment |> insert into others;
from clicks
|> match_recognize (partition by user_id order by timestamp measures last(b.timestamp) as moment pattern (a b) within interval 5 second define a as event = 'product_view', b as event = 'add_to_cart')
|> select 'match' as op, user_id, 5 as n, moment |> insert into others;
"""


class Division(Groups):
    text, calm, sinks = PIPELINE, "undivided", ("", "-exact", "-funnel")

    def arguments(self, name, *more, stream=None, groups=3):
        stream = stream or name.upper()
        path = self.suite.write(f"{name}-{groups}.evs", self.text.format(name=name, stream=stream, subject=stream.lower(), groups=f"set groups = {groups};" if groups else ""))
        return ["--create", "--nats", self.nats.url, "--redis", self.redis.url, "--lease", "2s", "--batch-rows", 64, *more, path]

    def feed(self, name, number):
        self.suite.feed(self.nats, name.upper(), name, self.portions[number], "--events", 50, "--partitions", PARTITIONS, "--key", "user_id", "--suffix", "web")

    def engine(self, name, who, *more, stream=None, groups=3):
        return Engine(self.suite, self.arguments(name, *more, stream=stream, groups=groups), f"{name}-{who}")

    def holds(self, engine):
        """How many groups an engine said last that it runs."""
        told = re.findall(r"this engine runs (\d+) of", engine.log())
        return int(told[-1]) if told else 0

    def settled(self, engines, is_settled):
        def look():
            for engine in engines:
                if engine.has_ended():
                    raise AssertionError(f"an engine ended with {engine.process.returncode}:\n{engine.log_tail()}")
            return is_settled([self.holds(engine) for engine in engines])
        try:
            wait_until(look, "groups to be shared")
        except TimeoutError:
            raise AssertionError("shares: " + "\n".join(f"{self.holds(engine)}:\n{engine.log_tail()}" for engine in engines)) from None

    def settle(self, *shares):
        """Waits until every engine runs its share: (engine, number), …"""
        self.settled([engine for engine, _ in shares], lambda held: held == [number for _, number in shares])

    def divided(self, *engines):
        """Waits until each of them runs something, and together they run all groups."""
        self.settled(engines, lambda held: sum(held) == 3 and all(held))

    def group_commits(self, name, group):
        return self.redis.newest_commit(name, group)[0]

    def commits(self, name, more, groups=GROUPS):
        begun = {group: self.group_commits(name, group) for group in groups}
        wait_until(lambda: all(self.group_commits(name, group) >= begun[group] + more for group in groups), f"{more} commits of each group of {name}")

    def results(self, name):
        found = {}
        for sink in self.sinks:
            lines = self.suite.dump(self.nats, "TRIGGERS", "--id", "--subject", f"triggers.{name}{sink}.>")
            ids = [line.split("\t", 1)[0] for line in lines]
            if len(set(ids)) != len(ids):
                raise AssertionError(f"{len(ids) - len(set(ids))} ids stand twice in triggers.{name}{sink}")
            found[sink] = sorted(line.split("\t", 1)[1] for line in lines)
        return found

    def reference(self, stream):
        if self.undisturbed is None:
            calm = self.engine(self.calm, "only", "--until-end", stream=stream, groups=None)
            if calm.wait() != 0:
                raise AssertionError(f"the undisturbed run failed:\n{calm.log_tail()}")
            self.undisturbed = self.results(self.calm)
            if not all(self.undisturbed.values()):
                raise AssertionError(f"the undisturbed run has an empty result: { {sink: len(rows) for sink, rows in self.undisturbed.items()} }")
        return self.undisturbed

    def finish(self, name, *engines, groups=3):
        for engine in engines:
            engine.signal(signal.SIGTERM)
            if engine.wait() != 0:
                raise AssertionError(f"an engine did not end well:\n{engine.log_tail()}")
        last = self.engine(name, "last", "--until-end", groups=groups)
        if last.wait() != 0:
            raise AssertionError(f"the last engine failed:\n{last.log_tail()}")
        self.check(name)

    # --- the tests ---

    def shared(self):
        """Two engines share three groups; a third one comes and gets its part; one is killed under load, and the others take what it had."""
        name = "shared"
        self.feed(name, 0)
        first = self.engine(name, "first")
        self.settle((first, 3))
        self.commits(name, 2)
        second = self.engine(name, "second")
        self.divided(first, second)
        self.feed(name, 1)
        third = self.engine(name, "third")
        self.settle((first, 1), (second, 1), (third, 1))
        self.feed(name, 2)
        self.moment()
        second.kill()
        self.divided(first, third)
        for number in range(3, PORTIONS):
            self.feed(name, number)
        self.commits(name, 2)
        self.finish(name, first, third)

    def paused(self):
        """An engine is stopped for longer than its lease: the other one takes its groups. Woken, it says why it stops, and has written nothing more."""
        name = "slept"
        self.feed(name, 0)
        first, second = self.engine(name, "first"), self.engine(name, "second")
        self.divided(first, second)
        self.commits(name, 2)
        self.feed(name, 1)
        self.moment()
        first.signal(signal.SIGSTOP)
        self.settle((second, 3))
        self.feed(name, 2)
        self.commits(name, 2)
        terms = [self.redis.newest_commit(name, group)[1] for group in GROUPS]
        first.signal(signal.SIGCONT)
        # By what the lease says, or by what Redis says, whichever it hears first.
        if first.wait() != 6 or not re.search("runs group 1-|Another engine has taken over this group", first.log()):
            raise AssertionError(f"the engine that was stopped ended with {first.process.returncode}:\n{first.log_tail()}")
        if [self.redis.newest_commit(name, group)[1] for group in GROUPS] != terms:
            raise AssertionError("the engine that was stopped has written")
        third = self.engine(name, "third", "--standby")
        self.divided(second, third)
        self.moment()
        third.signal(signal.SIGSTOP)
        self.settle((second, 3))
        third.signal(signal.SIGCONT)
        self.await_log(third, "Standing by again")
        self.divided(second, third)
        for number in range(3, PORTIONS):
            self.feed(name, number)
        self.finish(name, second, third)

    def servers(self):
        """NATS is away for longer than a lease, Redis is killed, both at once: who runs what stays as it is, and nothing is lost."""
        name = "weather"
        self.feed(name, 0)
        first, second = self.engine(name, "first"), self.engine(name, "second")
        self.divided(first, second)
        self.commits(name, 2)
        for number, servers in enumerate(((self.redis,), (self.nats,), (self.nats, self.redis)), 1):
            self.feed(name, number)
            self.moment()
            for server in servers:
                server.kill()
            self.moment()
            for server in servers:
                server.start()
            self.commits(name, 2)
        for number in range(4, PORTIONS):
            self.feed(name, number)
        self.finish(name, first, second)

    def refused(self):
        """What cannot be run divided, or not so, says why and what to do; nothing of it touches the state."""
        name = "refused"
        self.feed(name, 0)
        begun = self.engine(name, "begun", "--until-end", "--at-end", "stop")
        if begun.wait() != 0:
            raise AssertionError(f"the first run failed:\n{begun.log_tail()}")
        before = [self.redis.newest_commit(name, group) for group in GROUPS]
        for who, code, text, groups, more in (
                ("other", 4, "is divided into 3 groups, and `groups` asks for 2", 2, ()),
                ("option", 4, "is divided into 3 groups, and `groups` asks for 4", None, ("--groups", 4)),
                ("unled", 4, "run it without --lease off", None, ("--lease", "off")),
                ("memory", 2, "several groups need leases", 3, ("--state", "memory"))):
            engine = self.engine(name, who, "--until-end", *more, groups=groups)
            if engine.wait() != code or text not in engine.log():
                raise AssertionError(f"{who}: exit code {engine.process.returncode} instead of {code}, or not {text!r}:\n{engine.log_tail()}")
        same([self.redis.newest_commit(name, group) for group in GROUPS], before, "commits")
        self.feed("single", 0)
        one = self.engine("single", "one", "--until-end", "--at-end", "stop", groups=None)
        if one.wait() != 0:
            raise AssertionError(f"the run in one group failed:\n{one.log_tail()}")
        three = self.engine("single", "three", "--until-end")
        if three.wait() != 4 or "is in one group, and `groups` asks for 3" not in three.log():
            raise AssertionError(f"exit code {three.process.returncode} instead of 4:\n{three.log_tail()}")
        for key in self.redis.ask("KEYS", f"evs:{{{name}:*"):
            self.redis.ask("DEL", key)
        lost = self.engine(name, "lost", "--until-end")
        if lost.wait() != 4 or "remembers that pipeline refused is divided into 3 groups" not in lost.log():
            raise AssertionError(f"an empty Redis: exit code {lost.process.returncode} instead of 4:\n{lost.log_tail()}")
        anew = self.engine(name, "anew", "--until-end", "--state-lost", "restart")
        if anew.wait() != 0 or not self.redis.newest_commit(name, "2-2")[0] > 0:
            raise AssertionError(f"a pipeline that begins anew ended with {anew.process.returncode}:\n{anew.log_tail()}")

    def told(self, *arguments, code=0):
        done = self.suite.run(*arguments)
        if done.returncode != code:
            raise AssertionError(f"{arguments} ended with {done.returncode}:\n{done.stderr.decode()[-2000:]}")
        return done.stdout.decode()

    def tools(self):
        """State, savepoints and erasures are of all groups."""
        name = "tools"
        self.feed(name, 0)
        server = ("--redis", self.redis.url)
        engine = self.engine(name, "first")
        self.settle((engine, 3))
        self.commits(name, 3)
        shown = self.told("state", "show", name, *server)
        same(re.findall(r"^group +(\S+)", shown, re.M), list(GROUPS), "groups that are shown")
        users = {row["key"]["user_id"] for row in map(json.loads, self.told("state", "export", name, *server).splitlines()) if "key" in row}
        victim = max(users, key=len)  # no part of another one's id
        self.told("savepoint", "create", name, "before", *server)
        said = self.told("erase", "--key", victim, "--nats", self.nats.url, *server, self.suite.path(f"{name}-3.evs"), code=4)
        if said.count("erased") < 3 or said.count("left in savepoint before") == 0 or "left in the state" in said:
            raise AssertionError(f"the erasure said:\n{said}")
        self.told("savepoint", "restore", name, "before", "--yes", *server, code=4)  # an engine works
        engine.signal(signal.SIGTERM)
        if engine.wait() != 0:
            raise AssertionError(f"the engine did not end well:\n{engine.log_tail()}")
        if "A run goes on from this state" not in self.told("check", "--against-state", *server, self.suite.path(f"{name}-3.evs")):
            raise AssertionError("the state is not known again")
        restored = self.told("savepoint", "restore", name, "before", "--yes", *server)
        same(re.findall(r"group (\S+)", restored), list(GROUPS), "groups that are restored")
        again = self.engine(name, "again", "--until-end", "--at-end", "stop")
        if again.wait() != 0:
            raise AssertionError(f"the run from the savepoint failed:\n{again.log_tail()}")
        self.told("savepoint", "delete", name, "before", "--yes", *server)
        if self.told("savepoint", "ls", name, *server) != "":
            raise AssertionError("a savepoint is left")
        self.told("state", "reset", name, "--yes", *server)
        if name in self.told("state", "ls", *server).splitlines():
            raise AssertionError("state is left")

    def misplaced(self):
        """Events in the wrong partition are dead letters, and count for nobody."""
        name = "misplaced"
        self.suite.feed(self.nats, name.upper(), name, self.portions[0], "--events", 50, "--partitions", PARTITIONS, "--key", "event_id", "--suffix", "web")
        engine = self.engine(name, "only", "--until-end")
        if engine.wait() != 0:
            raise AssertionError(f"the run failed:\n{engine.log_tail()}")
        counts = [tuple(map(int, found)) for found in re.findall(r"group \S+ (\d+) events, .* (\d+) dead letters", engine.log())]
        events, dead = sum(count[0] for count in counts), sum(count[1] for count in counts)
        if not events or not 0.8 * events < dead < 0.95 * events:  # one of eight lies right by chance
            raise AssertionError(f"{dead} of {events} events are dead letters:\n{engine.log_tail()}")

    def begin_at_once(self, name, *more):
        self.feed(name, 0)
        arguments = self.arguments(name, "--until-end", "--listen", "off", *more)
        engines = [Engine(self.suite, arguments, f"{name}-{who}") for who in range(4)]
        return [(engine.wait(), engine) for engine in engines]

    def at_once(self):
        """Engines that begin a pipeline in the same moment go by one division, whoever decides it, and end together; one that comes when all is over says so."""
        for turn in range(3):
            for code, engine in self.begin_at_once(f"begun{turn}", "--at-end", "stop"):
                if code != 0:
                    raise AssertionError(f"an engine ended with {code}:\n{engine.log_tail()}")
        found = []
        for turn in range(3):
            ends = self.begin_at_once(f"ended{turn}")
            for code, engine in ends:
                if code != 0 and not (code == 4 and "has finished" in engine.log()):
                    raise AssertionError(f"an engine ended with {code}:\n{engine.log_tail()}")
            if all(code != 0 for code, _ in ends):
                raise AssertionError("nobody has run the pipeline to its end")
            found.append(self.results(f"ended{turn}"))
        for results in found[1:]:
            same(results, found[0], "triggers of engines that began at once")

    def run(self):
        tests = [("groups begin at once", self.at_once), ("groups are shared, an engine is killed", self.shared), ("an engine of groups is stopped and wakes", self.paused), ("what groups refuse", self.refused)]
        if not self.suite.quick:
            tests += [("tools know groups", self.tools), ("groups and misplaced events", self.misplaced)]
        if self.suite.full or self.suite.only:
            tests += [("groups and servers that are killed", self.servers)]
        for name, test in tests:
            self.suite.test(name, test)


class Redivision(Division):
    """Stored state into another number of groups: `evstream divide`."""

    text, calm, sinks = PIPELINE + OPERATORS, "undivided_all", ("", "-exact", "-funnel", "-other")

    def map_commits(self, name):
        return sum(fields[:2] == ["t", "C"] for _, fields in self.redis.ask("XRANGE", f"evs:{{{name}:map}}:log", "-", "+"))

    def generation(self, name):
        """Of the newest division that the map has decided."""
        return max([0] + [int(generation) for _, fields in self.redis.ask("XRANGE", f"evs:{{{name}:map}}:log", "-", "+") if fields[:2] == ["t", "C"]
                          for generation in re.findall(r"^generation (\d+)", fields[fields.index("r") + 1], re.M)])

    def divide(self, name, groups, generation, kills=()):
        """evstream divide; killed as soon as it has come to each of the steps, and then left alone."""
        file = self.suite.path(f"{name}-None.evs")
        steps = {
            "begun": lambda: self.map_commits(name) > before,
            "writing": lambda: self.redis.ask("EXISTS", f"evs:{{{name}:{generation}-0}}:log"),
            "written": lambda: self.redis.ask("EXISTS", f"evs:{{{name}:{generation}-{groups - 1}}}:log"),
            "decided": lambda: self.generation(name) == generation,
        }
        for step in (*kills, None):
            before = self.map_commits(name)
            command = subprocess.Popen([self.suite.program, "divide", "--groups", str(groups), "--nats", self.nats.url, "--redis", self.redis.url, "--yes", file],
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.suite.folder)
            if step is not None:
                wait_until(lambda: command.poll() is not None or steps[step](), f"step {step!r}")
                command.kill()
            said = command.communicate(timeout=60)[0].decode()
            if step is not None and command.returncode == 0:
                print(f"     {name}: had ended before it could be killed at {step!r}", flush=True)
            if step is None and command.returncode != 0:
                raise AssertionError(f"divide ended with {command.returncode}: {said}")
        names = [f"{generation}-{group}" for group in range(groups)]
        logs = sorted(self.redis.ask("KEYS", f"evs:{{{name}:*}}:log"))
        same(logs, sorted(f"evs:{{{name}:{group}}}:log" for group in (*names, "map")), "logs behind the division")
        return names

    def redivided(self):
        """One group becomes three, then one (in full runs two in between), with events on their way and `divide` killed: results as if nothing had happened."""
        name = "redivided"
        self.feed(name, 0)
        engine = self.engine(name, "one", groups=None)
        self.commits(name, 3, ("0",))
        steps = ("begun", "writing", "written", "decided")
        course = ((3, steps), (2, steps), (1, steps)) if self.suite.full else ((3, ("decided",)), (1, ("writing",)))
        for number, (groups, kills) in enumerate(course, 1):
            self.feed(name, 2 * number - 1)
            self.moment()
            engine.signal(signal.SIGTERM)
            if engine.wait() != 0:
                raise AssertionError(f"an engine did not end well:\n{engine.log_tail()}")
            names = self.divide(name, groups, number, kills)
            engine = self.engine(name, f"generation{number}", groups=None)
            self.settled([engine], lambda held: held == [groups])
            self.feed(name, 2 * number)
            self.commits(name, 2, names)
        for number in range(2 * len(course) + 1, PORTIONS):
            self.feed(name, number)
        self.finish(name, engine, groups=None)

    def divided_beside(self):
        """What `divide` refuses; an engine that starts while it is at work; one that stands by for what is gone."""
        name = "beside"
        self.feed(name, 0)
        engine = self.engine(name, "works", groups=None)
        self.commits(name, 2, ("0",))
        file = self.suite.path(f"{name}-None.evs")
        command = ("divide", "--nats", self.nats.url, "--redis", self.redis.url, "--yes", file, "--groups")
        self.told(*command, 3, code=4)  # an engine works
        engine.signal(signal.SIGTERM)
        if engine.wait() != 0:
            raise AssertionError(f"the engine did not end well:\n{engine.log_tail()}")
        self.told(*command, 9, code=2)  # more than partitions
        self.told("savepoint", "create", name, "kept", "--redis", self.redis.url)
        self.told(*command, 3, code=4)
        self.told("savepoint", "delete", name, "kept", "--yes", "--redis", self.redis.url)
        # An engine that starts while the state is being divided: one of the two gives way, and the state is whole.
        for number in range(1, 4):
            self.feed(name, number)
            dividing = subprocess.Popen([self.suite.program, *map(str, command), "3"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.suite.folder)
            before = self.map_commits(name)
            wait_until(lambda: dividing.poll() is not None or self.map_commits(name) > before, "the division's beginning")
            engine = self.engine(name, f"meets{number}", "--until-end", "--at-end", "stop", groups=None)
            code, said = engine.wait(), dividing.communicate(timeout=60)[0].decode()
            if code not in (0, 4, 6) or dividing.returncode not in (0, 4):
                raise AssertionError(f"the engine ended with {code}, divide with {dividing.returncode}: {said}\n{engine.log_tail()}")
            if dividing.returncode == 0:
                break
        for number in range(number + 1, PORTIONS):
            self.feed(name, number)
        self.finish(name, groups=None)

    def run(self):
        if not self.suite.quick:
            self.suite.test("groups that are divided anew", self.redivided)
        if self.suite.full or self.suite.only:
            self.suite.test("groups: dividing beside engines", self.divided_beside)
