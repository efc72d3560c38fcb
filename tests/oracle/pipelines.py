"""Random pipelines over random clicks. What they should give nobody has written down, but it must be the same in every execution: in batches of 1, 7 and
1024 rows, by one worker and by four, and restored at random places by another number of workers. Called by tests/oracle/run.

A pipeline is two sources, up to four operators, and often windows behind them. `Rows` knows what the operators so far have left, so that nearly all
pipelines mean something; those that the compiler refuses are drawn again, and counted. A pipeline that fails is told with its text and with
fewer clicks, and its seed is added to SEEDS."""

import json
import random
import subprocess
import tempfile
import pathlib

SECONDS_MAX = 120
EXECUTIONS = ((1, 1), (1, 7), (4, 1), (4, 7), (4, 1024))
REFUSED_MAX = 0.3    # of all drawings
EMPTY_MAX = 0.3      # of all pipelines
SEEDS = ()           # that were wrong once

SOURCES = """create source clicks (id int64, user string, item string, type string, n int64, seen timestamp unit ms, watermark for seen as seen - interval 20 second)
    from file (path = 'clicks.ndjson') on error fail;
create source buys (id int64, user string, item string, type string, n int64, seen timestamp unit ms, watermark for seen as seen - interval 5 second)
    from file (path = 'buys.ndjson') on error fail;
create sink late to file (path = 'late.rows');
create sink aside to file (path = 'aside.rows');
create sink answer to file (path = 'answer.rows');
"""


def draw_clicks(dice, count, first):
    """Clicks of few users, so that much happens to each; ties, late ones and pauses among them."""
    now, clicks = 0, []
    for number in range(first, first + count):
        now += dice.choice([0, 0, 1, 1, 2, 3, 5, dice.choice([1, 1, 8, 45, 200])])
        user = dice.choice(["ann", "bob", "cid", "dan", "a user with a long name", None])
        moment = now - dice.choice([0, 0, 0, 2, 4, 15, 30])
        clicks.append({"id": number, "user": user, "item": dice.choice("xyz"), "type": dice.choice(["view", "view", "cart", "buy"]),
                       "n": dice.randint(-5, 9), "seen": 1_767_606_000_000 + moment * 1000})
    return clicks


# --- pipelines -------------------------------------------------------------------------------------------------------------------


class Rows:
    """What stands behind the operators so far."""

    def __init__(self, dice):
        self.dice = dice
        self.is_timed = True       # is `seen` the event time?
        self.is_window = False     # are window_start and window_end among the columns?
        self.is_ordered = True     # do rows come in one order, whatever the execution?
        self.key = None            # then: of these columns only, because workers have dealt the rows out by them
        self.has_late = self.has_aside = False

    def interval(self, *seconds):
        return f"interval {self.dice.choice(seconds)} second"

    def late(self):
        """The side output of one operator, once."""
        if self.has_late or self.dice.random() < 0.5:
            return ""
        self.has_late = True
        return " late into late"

    def keys(self):
        """Rows that have been dealt out by other columns come to one worker from several, in an order that nobody promises."""
        keys = self.dice.choice(["user", "user", "item", "user, item"])
        self.is_ordered = self.is_ordered and self.key in (None, keys)
        self.key = keys
        return keys

    def keys_in_order(self):
        """Of operators that decide when a row comes."""
        self.key = self.key or self.keys()
        return self.key


COLUMNS = "id, user, item, type, n, seen"


def where(rows):
    return rows.dice.choice(["|> where mod(n, 3) != 0", "|> where type in ('view', 'buy')", "|> where n > 0 or item = 'x'", "|> where user is not null"])


def change(rows):
    return rows.dice.choice(["|> set n = n * 2 + 1", "|> extend n + id as m |> set n = mod(m, 17) |> drop m", "|> set type = concat(item, type)"])


def deduplicate(rows):
    keep = rows.dice.choice(["", "", " keep first", " keep last"])
    rows.is_timed = rows.is_timed and "last" not in keep
    return f"|> deduplicate by {rows.keys_in_order()} within {rows.interval(5, 20, 60)}{keep}"


def throttle(rows):
    text = f"|> throttle {rows.dice.randint(1, 3)} per {rows.interval(10, 60)} by {rows.keys_in_order()}"
    if not rows.has_aside and rows.dice.random() < 0.3:
        rows.has_aside = True
        text += " dropped into aside"
    return text


def sample(rows):
    return f"|> sample {rows.dice.choice([30, 70])} percent by {rows.dice.choice(['user', 'id'])} salt 'a'"  # where they are: no worker hands a row over


def hold(rows):
    rows.is_timed = rows.is_ordered = False
    return f"|> hold until seen + {rows.interval(3, 30)} at most interval 20 second"


def unnest(rows):
    return "|> cross join unnest([1, 2]) as extra with offset as place |> set id = id * 10 + extra |> drop extra, place"


def union(rows):
    rows.is_ordered = False
    return f"|> select {COLUMNS} |> union all (from buys |> where n < 5 |> select {COLUMNS})"


def join(rows):
    """Afterwards the columns are the left side's again, but for n; a right or full join fills them from the other side."""
    kind = rows.dice.choice(["", "left ", "right ", "full ", "semi ", "anti "])
    before, after = rows.dice.choice([(0, 10), (20, 0), (15, 15), (-2, 30)])
    other = rows.dice.choice(["buys", "(from clicks |> where type = 'buy')"])
    bound = f"r.seen between l.seen - interval {before} second and l.seen + interval {after} second"
    more = rows.dice.choice(["", " and l.item = r.item", " and l.n < r.n"])
    lateness = rows.dice.choice(["", "", f" allow lateness {rows.interval(10)}"])
    text = f"|> as l |> {kind}join {other} as r on l.user = r.user and {bound}{more}{lateness}"
    rows.is_timed = rows.is_ordered = False
    if kind in ("semi ", "anti "):
        return text
    sides = ", ".join(f"coalesce(l.{name}, r.{name}) as {name}" for name in ("user", "item", "type", "seen"))
    return f"{text} |> select coalesce(l.id, 0) * 1000 + coalesce(r.id, 0) as id, coalesce(l.n, 0) - coalesce(r.n, 0) as n, {sides} |> select {COLUMNS}"


def over(rows):
    frame = rows.dice.choice([f"range between {rows.interval(5, 40)} preceding and current row", "rows between 3 preceding and current row retain interval 1 minute"])
    call = rows.dice.choice(["sum(n)", "count(*)", "max(n)", "count(distinct item)", "first_value(n)", "min(n where type = 'view')"])
    return f"|> extend coalesce({call} over (partition by {rows.keys()} order by seen {frame}), -1) as m |> set n = m |> drop m"


def lag(rows):
    return f"|> extend lag(n, {rows.dice.randint(1, 2)}, 0) over (partition by {rows.keys()} order by seen retain {rows.interval(30, 300)}) as m |> set n = m - n |> drop m"


def sequence(rows):
    late, timeout = rows.late(), ""
    if not rows.has_aside and rows.dice.random() < 0.3:
        rows.has_aside, timeout = True, " on timeout into aside"
    skip = rows.dice.choice(["", " after match skip to next row", " after match skip past last row"])
    steps = rows.dice.choice([
        "a as type = 'view' then b as type = 'cart' then c as type = 'buy'",
        "a+ as type = 'view' then b as n > a.n",
        "a as type = 'cart' then no b as type = 'buy' within interval 15 second",
        "a as true then next b as n > 3 then c? as type = 'view'",
        "a{2,3} as item = 'x' within interval 30 second then no b as n < 0 then c as type = 'buy'"])
    rows.is_timed = rows.is_ordered = False
    return (f"|> sequence by {rows.keys()} within {rows.interval(30, 90)}{skip} {steps}{timeout}{late} "
            "select last(a.id) as id, max(a.user) as user, max(a.item) as item, max(a.type) as type, count(*) as n, max(a.seen) as seen")


def match(rows):
    pattern = rows.dice.choice(["a+ b", "a b? c", "(a | b){2,3}? c", "a (b | c)+", "a{2,}"])
    skip = rows.dice.choice(["", "after match skip to next row ", "after match skip past last row "])
    text = (f"|> match_recognize (partition by user order by seen measures min(a.id) as id, max(item) as item, max(type) as type, sum(n) as n, max(seen) as seen "
            f"{skip}pattern ({pattern}) within {rows.interval(20, 60)}{rows.late()} "
            f"define a as n > 0, b as type = 'view', c as item != 'x') |> select {COLUMNS}")
    rows.is_timed = rows.is_ordered = False
    return text


def identity(rows):
    """Items are devices that many users have; some rows tell a user, some that an item or a user is known by another name."""
    device = rows.dice.choice(["item", "nullif(item, 'z')", "concat(item, cast(mod(id, 4) as string))"])
    user = rows.dice.choice(["user", "if(type = 'cart', user, null)", "if(n > 5, user, null)"])
    alias = rows.dice.choice(["", "", " alias if(n = 4, item, null)", " alias if(mod(id, 7) = 0, concat(item, '1'), null)", " alias if(n > 7, 'bob', null)"])
    within = rows.dice.choice(["", f" within {rows.interval(5, 30)}"])
    rows.is_ordered = False
    known = rows.dice.choice(["drop person_id, is_known", "where is_known |> drop person_id, is_known"])
    return f"|> resolve identity {device} to {user}{alias}{within} retain {rows.interval(30, 60, 600)} |> set user = person_id |> {known}"


def windows(rows):
    kind = rows.dice.choice(["tumble(interval 30 second)", "hop(interval 40 second, interval 10 second)", "cumulate(interval 10 second, interval 1 minute)",
                             "session(interval 8 second)", "session(seen, interval 8 second, interval 1 minute)", "tumble(interval 1 minute, offset => interval 7 second)"])
    if "seen" in kind and not rows.is_timed:
        kind = "session(interval 8 second)"
    keys = rows.keys()
    emission = rows.dice.choice(["", "", "", " emit on window close", " emit every interval 10 second", " emit on change", " allow lateness interval 15 second"])
    if not rows.is_ordered and emission in (" emit on change", " allow lateness interval 15 second"):
        emission = ""  # a revision a row: the rows' order is part of the result
    calls = "count(*) as k, sum(n) as n, min(id) as least, max(id) as most, count(distinct item) as items"
    text = f"|> aggregate {calls} group by {keys}, {kind}{emission}{rows.late()}"
    rows.is_window, rows.is_timed = emission in ("", " emit on window close"), False
    return text


def behind_windows(rows):
    return rows.dice.choice([
        "", "", "|> aggregate sum(k) as k, count(*) as members group by window_start, window_end",
        "|> top 2 by n desc partition by k", "|> aggregate sum(k) as k group by tumble(interval 2 minute)", "|> where k > 1",
        "|> extend row_number() over (partition by window_start, window_end order by k desc, n) as place |> where place <= 2"])


def windowed_rows(rows):
    kind = rows.dice.choice(["tumble(interval 30 second)", "hop(interval 30 second, interval 10 second)"])
    return f"|> call {kind} |> top 3 by n {rows.dice.choice(['', 'desc'])} partition by user"


ALWAYS = [where, change, deduplicate, throttle, sample, hold, unnest, union, join, windowed_rows]
WHILE_TIMED = [over, lag, sequence, match, join, identity]
NEEDS_ORDER = {deduplicate, throttle}  # they decide when a row comes


def draw_pipeline(dice):
    rows, steps = Rows(dice), []
    for _ in range(dice.randint(1, 4)):
        choices = ALWAYS + (WHILE_TIMED * 2 if rows.is_timed else [])
        step = dice.choice([step for step in choices if rows.is_ordered or step not in NEEDS_ORDER])
        if step is join and not rows.is_timed:
            step = where
        steps.append(step(rows))
        if step is windowed_rows:
            rows.is_timed = rows.is_ordered = False
            break
    else:
        if dice.random() < 0.6:
            steps.append(windows(rows))
            if rows.is_window:
                steps.append(behind_windows(rows))
            else:
                steps.append("|> extend _revision as revision, _final as final")
    return SOURCES + "from clicks\n" + "\n".join(step for step in steps if step) + "\n|> insert into answer;\n"


# --- executions -------------------------------------------------------------------------------------------------------------------


class Wrong(Exception):
    pass


def write(path, clicks, how="w"):
    with open(path, how, encoding="utf-8") as file:
        file.writelines(json.dumps(click) + "\n" for click in clicks)


def results(folder):
    """Each sink's rows, in no order."""
    return {path.name: sorted(path.read_text().splitlines()) for path in sorted(folder.glob("*.rows"))}


def run(program, folder, *arguments):
    done = subprocess.run([str(program), "run", "random.evs", *map(str, arguments)], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=SECONDS_MAX, check=False)
    if done.returncode != 0:
        raise Wrong(f"exit code {done.returncode} of {' '.join(map(str, arguments))}\n{done.stderr[-2000:]}")


def whole(program, text, inputs, workers, batch):
    with tempfile.TemporaryDirectory() as path:
        folder = pathlib.Path(path)
        (folder / "random.evs").write_text(text)
        for name, clicks in inputs.items():
            write(folder / name, clicks)
        run(program, folder, "--parallelism", workers, "--batch-rows", batch)
        return results(folder)


def cut(program, redis, text, inputs, dice):
    """The files grow; after each piece the engine ends with its state open, and another begins."""
    redis.ask("FLUSHALL")
    with tempfile.TemporaryDirectory() as path:
        folder = pathlib.Path(path)
        (folder / "random.evs").write_text(text)
        count = dice.randint(2, 6)
        places = {name: sorted(dice.randint(0, len(clicks)) for _ in range(count - 1)) + [len(clicks)] for name, clicks in inputs.items()}
        begun = dict.fromkeys(inputs, 0)
        for number in range(count):
            for name, clicks in inputs.items():
                write(folder / name, clicks[begun[name] : places[name][number]], "a")
                begun[name] = places[name][number]
            end = "close" if number == count - 1 else "stop"
            run(program, folder, "--parallelism", dice.choice([1, 2, 3, 4]), "--batch-rows", dice.choice([1, 7, 1024]), "--state", "redis", "--redis", redis.url,
                "--checkpoint-batches", dice.choice([1, 2, 5]), "--at-end", end)
        return results(folder)


def first_difference(wanted, found):
    for sink, lines in wanted.items():
        if found[sink] != lines:
            missing, extra = [line for line in lines if line not in found[sink]][:3], [line for line in found[sink] if line not in lines][:3]
            return f"{sink}: {len(found[sink])} rows, not {len(lines)}; missing {missing}; not expected {extra}"
    return None


def try_inputs(program, redis, text, inputs, seed):
    """(what is wrong or None, rows) of a pipeline over these clicks."""
    try:
        wanted = whole(program, text, inputs, 1, 1024)
        for workers, batch in EXECUTIONS:
            wrong = first_difference(wanted, whole(program, text, inputs, workers, batch))
            if wrong:
                return f"{workers} workers, batches of {batch}: {wrong}", 0
        wrong = first_difference(wanted, cut(program, redis, text, inputs, random.Random(seed)))
        return wrong and f"cut and restored: {wrong}", sum(map(len, wanted.values()))
    except (Wrong, subprocess.TimeoutExpired) as failure:
        return str(failure), 0


def fewer(program, redis, text, inputs, seed):
    """Clicks with which it is still wrong, of each input ever smaller parts left out."""
    for name in inputs:
        size = len(inputs[name]) // 2
        while size > 0:
            place = 0
            while place < len(inputs[name]):
                less = {**inputs, name: inputs[name][:place] + inputs[name][place + size :]}
                if try_inputs(program, redis, text, less, seed)[0]:
                    inputs = less
                else:
                    place += size
            size //= 2
    return inputs


def try_pipeline(program, redis, seed, count):
    """(what is wrong or None, rows it gave, drawings that were refused)"""
    dice, refused = random.Random(seed), 0
    text = draw_pipeline(dice)
    while not is_accepted(program, text):
        refused += 1
        text = draw_pipeline(dice)
    inputs = {"clicks.ndjson": draw_clicks(dice, count, 1), "buys.ndjson": draw_clicks(dice, count // 2, 10 * count)}
    wrong, rows = try_inputs(program, redis, text, inputs, seed)
    if wrong:
        inputs = fewer(program, redis, text, inputs, seed)
        wrong = f"{try_inputs(program, redis, text, inputs, seed)[0] or wrong}\n{text}" + "".join(
            f"--- {name}\n" + "".join(json.dumps(click) + "\n" for click in clicks) for name, clicks in inputs.items())
    return wrong, rows, refused


def is_accepted(program, text):
    with tempfile.TemporaryDirectory() as path:
        (pathlib.Path(path) / "random.evs").write_text(text)
        done = subprocess.run([str(program), "check", "random.evs"], cwd=path, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
        if done.returncode not in (0, 1):
            raise Wrong(f"check: exit code {done.returncode}\n{done.stderr}\n{text}")
        return done.returncode == 0


def try_pipelines(program, redis, first, number, count):
    """The texts of what is wrong."""
    wrongs, refused, empty = [], 0, 0
    seeds = [*SEEDS, *range(first, first + number)]
    for seed in seeds:
        wrong, rows, tries = try_pipeline(program, redis, seed, count)
        refused += tries
        empty += rows == 0 and not wrong
        if wrong:
            wrongs.append(f"pipeline of seed {seed}: {wrong}")
    if refused > REFUSED_MAX * (refused + len(seeds)) + 3:
        wrongs.append(f"of {refused + len(seeds)} pipelines the compiler refused {refused}")
    if empty > EMPTY_MAX * len(seeds) + 3:
        wrongs.append(f"of {len(seeds)} pipelines {empty} gave no rows")
    return wrongs
