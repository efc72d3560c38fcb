"""Times in zones against Python's zoneinfo and datetime: random moments, half of them near a change of the clocks, in zones whose clocks do what
one does not expect. Called by tests/oracle/run."""

import datetime
import json
import random
import subprocess
import zoneinfo

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
US = datetime.timedelta(microseconds=1)
ZONES = (
    "UTC Europe/Berlin Europe/London Europe/Dublin America/New_York America/St_Johns America/Sao_Paulo America/Havana Asia/Kathmandu Asia/Tehran "
    "Australia/Lord_Howe Pacific/Apia Pacific/Chatham Africa/Casablanca Africa/Monrovia Antarctica/Troll Asia/Tokyo Etc/GMT-14"
).split()

PIPELINE = """create source moments (id int64, seen timestamp unit us not null, zone string not null, local string not null, day1 int64, day2 int64, months int64,
    watermark for seen as seen) from file (path = 'zones.ndjson') on error fail;
from moments
|> extend datetime(seen, zone) as there, cast(local as datetime) as clock, date_from_unix_date(day1) as a, date_from_unix_date(day2) as b
|> select id, unix_micros(timestamp(there)) as there_us, unix_micros(timestamp(clock, zone)) as back,
   unix_micros(timestamp_trunc(seen, hour, zone)) as an_hour, unix_micros(timestamp_trunc(seen, day, zone)) as a_day,
   unix_micros(timestamp_trunc(seen, isoweek, zone)) as a_week, unix_micros(timestamp_trunc(seen, quarter, zone)) as a_quarter,
   extract(isoweek from seen at time zone zone) as iso_week, extract(isoyear from seen at time zone zone) as iso_year,
   extract(dayofyear from seen at time zone zone) as year_day, extract(dayofweek from seen at time zone zone) as week_day,
   extract(second from seen at time zone zone) as second_there, extract(week(monday) from seen at time zone zone) as week_there,
   format_timestamp('%Y-%m-%d %H:%M:%E6S %z|%j %G-%V-%u %U %W %a %b %I%p', seen, zone) as pattern,
   string(seen, zone) as text, timestamp(string(seen, zone)) = seen as reads_back,
   parse_timestamp('%Y-%m-%d %H:%M:%E6S %Ez', format_timestamp('%Y-%m-%d %H:%M:%E6S %Ez', seen, zone)) = seen as parses_back,
   date_diff(a, b, week) as weeks, date_diff(a, b, isoweek) as iso_weeks, date_diff(a, b, month) as months_between,
   date_diff(a, b, quarter) as quarters, date_diff(a, b, isoyear) as iso_years, unix_date(date_add(a, interval 1 month * months)) as later,
   unix_date(last_day(a, quarter)) as last, unix_date(date_trunc(a, isoyear)) as first;
"""


def micros(moment):
    return (moment - EPOCH) // US


def moment_of(us):
    return EPOCH + datetime.timedelta(microseconds=us)


def near_change(random_, zone):
    """A moment within two hours of a change of the zone's offset, found by halving a year."""
    low = datetime.datetime(random_.randrange(1880, 2090), random_.randrange(1, 13), 1, tzinfo=UTC)
    high = low + datetime.timedelta(days=200)
    if low.astimezone(zone).utcoffset() == high.astimezone(zone).utcoffset():
        return low + datetime.timedelta(microseconds=random_.randrange(10**12))
    while high - low > datetime.timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset():
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0) + datetime.timedelta(microseconds=random_.randrange(-7200 * 10**6, 7200 * 10**6))


def utc_of(local, zone):
    """PEP 495 with fold 0: a time in a gap has the offset before it, one that comes twice is the first."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def add_months(day, months):
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    first = datetime.date(year, month + 1, 1)
    following = datetime.date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return first + datetime.timedelta(days=min(day.day, (following - first).days) - 1)


def sunday(day):
    return day - datetime.timedelta(days=day.isoweekday() % 7)


def monday(day):
    return day - datetime.timedelta(days=day.weekday())


def quarter_start(day):
    return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)


def expected(row):
    zone, moment = zoneinfo.ZoneInfo(row["zone"]), moment_of(row["seen"])
    there = moment.astimezone(zone)
    naive, offset = there.replace(tzinfo=None), there.utcoffset()
    midnight = naive.replace(hour=0, minute=0, second=0, microsecond=0)
    iso_year, iso_week, iso_day = naive.isocalendar()
    # Texts have offsets of whole minutes, cut toward zero.
    minutes = int(offset / datetime.timedelta(minutes=1))
    shown = (moment + datetime.timedelta(minutes=minutes)).replace(tzinfo=None)
    sign, size = "-" if minutes < 0 else "+", abs(minutes)
    fraction = "" if not shown.microsecond else f".{shown.microsecond:06d}" if shown.microsecond % 1000 else f".{shown.microsecond // 1000:03d}"
    a, b = (datetime.date(1970, 1, 1) + datetime.timedelta(days=row[key]) for key in ("day1", "day2"))
    quarter = quarter_start(a)
    january4 = datetime.date(a.isocalendar()[0], 1, 4)
    days = lambda day: (day - datetime.date(1970, 1, 1)).days  # noqa: E731
    return {
        "id": row["id"],
        "there_us": micros(naive.replace(tzinfo=UTC)),
        "back": micros(utc_of(datetime.datetime.fromisoformat(row["local"]), zone)),
        "an_hour": row["seen"] - micros(naive.replace(tzinfo=UTC)) % (3600 * 10**6),
        "a_day": micros(utc_of(midnight, zone)),
        "a_week": micros(utc_of(monday(midnight), zone)),
        "a_quarter": micros(utc_of(quarter_start(midnight), zone)),
        "iso_week": iso_week,
        "iso_year": iso_year,
        "year_day": naive.timetuple().tm_yday,
        "week_day": iso_day % 7 + 1,
        "second_there": naive.second,
        "week_there": int(naive.strftime("%W")),
        "pattern": shown.strftime(f"%Y-%m-%d %H:%M:%S.%f {sign}{size // 60:02d}{size % 60:02d}|%j %G-%V-%u %U %W %a %b %I%p"),
        "text": shown.strftime("%Y-%m-%d %H:%M:%S") + fraction + f"{sign}{size // 60:02d}" + (f":{size % 60:02d}" if size % 60 else ""),
        "reads_back": True,
        "parses_back": True,
        "weeks": (sunday(a) - sunday(b)).days // 7,
        "iso_weeks": (monday(a) - monday(b)).days // 7,
        "months_between": (a.year - b.year) * 12 + a.month - b.month,
        "quarters": (a.year - b.year) * 4 + (a.month - 1) // 3 - (b.month - 1) // 3,
        "iso_years": a.isocalendar()[0] - b.isocalendar()[0],
        "later": days(add_months(a, row["months"])),
        "last": days(add_months(quarter, 3)) - 1,
        "first": days(monday(january4)),
    }


def draw(seed, count):
    random_ = random.Random(seed)
    rows = []
    for number in range(count):
        name = random_.choice(ZONES)
        zone = zoneinfo.ZoneInfo(name)
        if number % 2:
            moment = near_change(random_, zone)
        else:
            moment = moment_of(random_.randrange(-30 * 10**15, 250 * 10**15)) if number % 8 else moment_of(random_.randrange(-10, 10) * 10**14)
        local = (moment + datetime.timedelta(hours=random_.choice((-5, 0, 1, 2, 10)), minutes=random_.choice((0, 15, 30)))).replace(tzinfo=None)
        rows.append({
            "id": number, "seen": micros(moment), "zone": name, "local": local.isoformat(sep=" "),
            "day1": random_.randrange(-300000, 2000000), "day2": random_.randrange(-300000, 2000000), "months": random_.randrange(-600, 600),
        })
    return rows


def try_zones(program, folder, seed, count):
    """None, or what differs."""
    rows = draw(seed, count)
    (folder / "zones.evs").write_text(PIPELINE)
    (folder / "zones.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = subprocess.run([program, "run", "--until-end", "zones.evs"], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if run.returncode != 0:
        return f"exit code {run.returncode}\n{run.stderr}"
    found = {row["id"]: row for row in map(json.loads, run.stdout.splitlines())}
    if len(found) != count:
        return f"{len(found)} rows and not {count}\n{run.stderr}"
    for row in rows:
        wanted = expected(row)
        wrong = [f"  {key}: {found[row['id']].get(key)!r} and not {value!r}" for key, value in wanted.items() if found[row["id"]].get(key) != value]
        if wrong:
            return "\n".join([json.dumps(row), *wrong])
    return None
