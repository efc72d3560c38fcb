"""`evstream dev`, as a developer meets it, and the demo shop: click in Chromium, see the trigger."""

import json
import os
import re
import signal
import subprocess
import urllib.request

from evs import DEADLINE_S, ROOT, wait_until

PIPELINE = """create source clicks (
    type        string    not null,
    occurred_at timestamp not null,
    user_id     string,
    watermark for occurred_at as occurred_at
) from nats (stream = 'CLICKS', subject = 'clicks.>', partitions = 16, idle_timeout = interval 1 second) dead letter into broken;
create sink seen to nats (stream = 'TRIGGERS', subject = 'triggers.seen.{user_id}');
create sink broken to nats (stream = 'DEAD', subject = 'dead.seen');
from clicks |> where user_id is not null |> select user_id, 'WORD' as word |> insert into seen;
"""


def descendants(pid):
    """Every process below this one, by /proc."""
    below = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    below.setdefault(int(file.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
            except OSError:
                pass  # it has ended meanwhile
    found, look = [], [pid]
    while look:
        children = below.get(look.pop(), [])
        found += children
        look += children
    return found


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Dev:
    """evstream dev, with its terminal in a file."""

    def __init__(self, suite, name, *arguments, cwd=None):
        self.out_path = suite.path(f"{name}.out")
        environment = {**os.environ, "TMPDIR": suite.folder}
        with open(self.out_path, "wb") as out:
            self.process = subprocess.Popen([suite.program, "dev", *arguments], stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=cwd or suite.folder,
                                            env=environment)

    def __enter__(self):
        try:
            self.says("ready; Ctrl-C stops everything")
        except Exception:
            self.process.kill()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def out(self):
        with open(self.out_path, "rb") as file:
            return file.read().decode(errors="replace")

    def says(self, pattern, count=1):
        """Waits until the terminal shows it so many times; the last one's match."""
        def look():
            found = list(re.finditer(pattern, self.out(), re.MULTILINE))
            return found[-1] if len(found) >= count else None

        try:
            return wait_until(lambda: look() or self.process.poll() is not None and look() or None, pattern, 60)
        except TimeoutError:
            raise AssertionError(f"dev never said {pattern!r} {count} times:\n{self.out()[-3000:]}") from None

    def address(self, name):
        return self.says(rf"^dev +{name} +(\S+)")[1]

    def send(self, user, event="Looked", moment=None):
        """An event to the collector, as its clients send it."""
        body = {"batch": [{"type": "track", "event": event, "userId": user, **({"timestamp": moment} if moment else {})}], "writeKey": "dev"}
        request = urllib.request.Request(self.address("collector") + "/v1/batch", json.dumps(body).encode(), {"Content-Type": "text/plain"})
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            assert answer.status == 200, answer.status

    def stop(self, how=signal.SIGINT):
        """The exit code, after looking that nobody is left."""
        children = descendants(self.process.pid)
        assert len(children) >= 3, f"dev has only these children: {children}"
        self.process.send_signal(how)
        code = self.process.wait(DEADLINE_S)
        wait_until(lambda: not any(is_alive(pid) for pid in children), f"the end of dev's children {children}")
        return code


def write(path, text):
    """As editors save: a new file is renamed over the old one."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


def folder_of(world, name):
    folder = world.suite.path(name)
    os.makedirs(folder)
    return folder


def reload(world):
    """A save takes over; a faulty one is told, and what ran runs on; a saved import reloads who imports it; new and removed files are noticed."""
    folder = folder_of(world, "reload")
    path = os.path.join(folder, "seen.evs")
    write(path, PIPELINE.replace("WORD", "one"))
    with Dev(world.suite, "reload-dev", folder) as dev:
        dev.says(r"^seen +runs ")
        dev.send("ann")
        dev.says(r'^trigger +triggers\.seen\.ann .*"word":"one"')
        write(path, PIPELINE.replace("WORD", "two"))
        dev.says(r"^seen +runs ", 2)
        dev.send("bob")
        dev.says(r'^trigger +triggers\.seen\.bob .*"word":"two"')
        write(path, PIPELINE.replace("user_id is not null", "usr_id is not null"))
        dev.says(r"no column `usr_id`")
        dev.says(r"^seen +has a mistake: the version before it runs on")
        dev.send("cid")
        dev.says(r'^trigger +triggers\.seen\.cid .*"word":"two"')
        write(os.path.join(folder, "more.evs"), PIPELINE.replace("WORD", "more").replace("seen", "more"))
        dev.says(r"^more +runs ")
        dev.send("dan")
        dev.says(r'^trigger +triggers\.more\.dan .*"word":"more"')
        write(os.path.join(folder, "twin.evs"), "pipeline more;\n" + PIPELINE.replace("seen", "twin"))
        dev.says(r"are both the pipeline `more`")
        os.unlink(os.path.join(folder, "more.evs"))
        dev.says(r"^more +its file is gone: it is stopped")
        assert dev.out().count("triggers.seen.ann") == 1, "what was triggered before a reload is not triggered again"
        assert dev.stop() == 0, dev.out()[-2000:]


def page(world):
    """The live page is at the printed address, whose token opens changes, and stays there when a new version takes over."""
    path = os.path.join(folder_of(world, "page"), "seen.evs")
    write(path, PIPELINE)
    with Dev(world.suite, "page-dev", path) as dev:
        url, token = dev.address("its page").split("/#token=")
        dev.says(r"^seen +runs ")

        def hello():
            request = urllib.request.Request(url + "/api/v1/live", headers={"Authorization": f"Bearer {token}"})
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as stream:
                assert stream.readline() == b"event: hello\n"
                return json.loads(stream.readline().removeprefix(b"data: "))

        def answers():
            try:
                return hello()
            except OSError:
                return None

        assert wait_until(answers, "the live page")["changes"] is True
        write(path, PIPELINE.replace("WORD", "two"))
        dev.says(r"^seen +runs ", 2)
        assert wait_until(answers, "the live page of the next version")["changes"] is True
        assert dev.stop() == 0, dev.out()[-2000:]


def faulty_from_the_start(world):
    """A file with a mistake, or one that is not there yet, runs as soon as it can."""
    folder = folder_of(world, "faulty")
    path = os.path.join(folder, "seen.evs")
    with Dev(world.suite, "faulty-dev", path) as dev:
        dev.says(r"^seen +has a mistake: it runs as soon as")
        write(path, PIPELINE)
        dev.says(r"^seen +runs ")
        assert dev.stop(signal.SIGTERM) == 0, dev.out()[-2000:]


def ends_cleanly(world):
    """Ctrl-C leaves no process and no folder behind; with --data the next start goes on."""
    path = os.path.join(folder_of(world, "clean"), "seen.evs")
    write(path, PIPELINE)
    with Dev(world.suite, "clean-dev", path) as dev:
        data = dev.address("data")
        assert os.path.isdir(data)
        assert dev.stop() == 0
        assert not os.path.exists(data), f"{data} is left"
        assert dev.out().rstrip().endswith("stopped")
    kept = world.suite.path("kept")
    for round_number, name in enumerate(("kept-1", "kept-2")):
        with Dev(world.suite, name, "--data", kept, path) as dev:
            dev.says(r"^seen +runs ")
            dev.send(f"eve{round_number}")
            dev.says(rf"^trigger +triggers\.seen\.eve{round_number} ")
            assert "eve0" not in dev.out() or round_number == 0, "the second start knows what the first one has done"
            assert dev.stop() == 0


def killed(world):
    """kill -9 of dev takes its children along."""
    path = os.path.join(folder_of(world, "killed"), "seen.evs")
    write(path, PIPELINE)
    with Dev(world.suite, "killed-dev", path) as dev:
        dev.says(r"^seen +runs ")
        assert dev.stop(signal.SIGKILL) == -signal.SIGKILL


def server_ends(world):
    """A server that ends by itself ends everything, with its last words and exit code 3."""
    path = os.path.join(folder_of(world, "server"), "seen.evs")
    write(path, PIPELINE)
    with Dev(world.suite, "server-dev", path) as dev:
        dev.says(r"^seen +runs ")
        children = descendants(dev.process.pid)
        redis = [pid for pid in children if "redis-server" in open(f"/proc/{pid}/cmdline", encoding="utf-8").read()]
        os.kill(redis[0], signal.SIGTERM)
        assert dev.process.wait(DEADLINE_S) == 3, dev.out()[-2000:]
        assert "redis-server has ended" in dev.out(), dev.out()[-2000:]
        wait_until(lambda: not any(is_alive(pid) for pid in children), "the end of dev's children")


def ports(world):
    """A second dev takes other ports; an address that was asked for and is taken is told."""
    path = os.path.join(folder_of(world, "ports"), "seen.evs")
    write(path, PIPELINE)
    with Dev(world.suite, "ports-1", path) as first, Dev(world.suite, "ports-2", path) as second:
        for name in ("shop", "collector", "NATS", "Redis"):
            assert first.address(name) != second.address(name), name
        shop = first.address("shop").removeprefix("http://")
        done = world.suite.run("dev", "--shop", shop, path)
        assert done.returncode == 2 and b"cannot listen" in done.stderr, done
        assert first.stop() == 0 and second.stop() == 0


# --- the shop ----------------------------------------------------------------------------------------------------------


def shop(world):
    """Sign in, put something into the cart, leave: after the wait the trigger arrives, in the terminal and on the page. Who buys is left alone."""
    with Dev(world.suite, "shop-dev", cwd=folder_of(world, "shop")) as dev:
        dev.says(r"^cart_abandonment +runs ")
        url = dev.address("shop")
        for name in ("fay", "gus"):
            world.browser("open", context=name, page=name, url=url)
            world.browser("fill", page=name, selector="#sign-in input", text=name)
            world.browser("click", page=name, selector="#sign-in button")
        world.browser("click", page="fay", selector="[data-sku=desk-lamp] a")
        world.browser("click", page="fay", selector=".product button")
        world.browser("click", page="fay", selector="a[href='/cart']")
        world.browser("wait", page="fay", code="document.querySelector('#count').textContent == '1'")
        for selector in ("[data-sku=bulb] button", "a[href='/cart']", "a[href='/checkout']", "main button:has-text('Buy')"):
            world.browser("click", page="gus", selector=selector)
        world.browser("wait", page="gus", code="location.pathname == '/thanks'")
        world.browser("close", page="fay")
        found = dev.says(r"^trigger +triggers\.cart_abandonment\.fay (.*)$")
        row = json.loads(found[1])
        assert row == {"user_id": "fay", "items": 1, "value": 59.9, "last_sku": "desk-lamp"}, row
        world.browser("wait", page="gus", code="document.querySelector('#triggers').textContent.includes('fay')")
        if os.environ.get("EVS_PICTURE"):
            world.browser("picture", page="gus", path=os.environ["EVS_PICTURE"])
        said = world.browser("said", page="gus")
        assert not said, f"the page has complained: {said}"
        world.browser("close", page="gus")
        assert "cart_abandonment.gus" not in dev.out(), "who has bought is not reminded"
        assert dev.stop() == 0


def shop_files(world):
    """The shop's server gives its own files and nothing else."""
    path = os.path.join(folder_of(world, "files"), "seen.evs")
    write(path, PIPELINE)
    with Dev(world.suite, "files-dev", path) as dev:
        url = dev.address("shop")

        def status(path):
            try:
                with urllib.request.urlopen(url + path, timeout=DEADLINE_S) as answer:
                    return answer.status, answer.headers["Content-Type"], answer.read()
            except urllib.error.HTTPError as error:
                return error.code, None, b""

        for page in ("/", "/product/bulb", "/checkout?x=1"):
            code, kind, text = status(page)
            assert code == 200 and kind.startswith("text/html") and dev.address("collector").encode() in text, (page, code)
        with open(os.path.join(ROOT, "demo/shop/shop.js"), "rb") as file:
            assert status("/shop.js")[2] == file.read()
        for page in ("/../README.md", "/%2e%2e/README.md", "/..%2fREADME.md", "/.hidden", "/no.js", "/a/../../README.md"):
            assert status(page)[0] == 404, page
        assert dev.stop() == 0


def tests(world):
    for test in (reload, page, faulty_from_the_start, ends_cleanly, killed, server_ends, ports, shop_files, shop):
        yield f"dev {test.__name__}", lambda test=test: test(world)
