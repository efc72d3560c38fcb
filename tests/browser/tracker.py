"""Our own tracker: its size, its build, its parts in Node.js; then in Chromium on a site of another origin than the collector's, into JetStream."""

import datetime
import filecmp
import gzip
import os

from evs import wait_until
from world import KEY, SOURCE, TRACKER, Collector, holds, need_packages, node, one

SIZE_MAX = 3000  # bytes, compressed


def size(_):
    with open(os.path.join(TRACKER, "dist/evs.js"), "rb") as file:
        compressed = len(gzip.compress(file.read(), 9))
    assert compressed < SIZE_MAX, f"evs.js has {compressed} bytes compressed; {SIZE_MAX} are promised"


def build(world):
    """What stands in dist/ is what the sources give."""
    need_packages()
    folder = world.suite.path("tracker-dist")
    node("build.mjs", folder, cwd=TRACKER)
    names = sorted(os.listdir(os.path.join(TRACKER, "dist")))
    assert names == sorted(os.listdir(folder)), f"dist/ has {names}"
    _, different, wrong = filecmp.cmpfiles(os.path.join(TRACKER, "dist"), folder, names, shallow=False)
    assert not different and not wrong, f"these are not what the sources give (npm run build): {different + wrong}"


def types(world):
    """The sources have no mistake of types, and a program that uses the declarations wrongly has."""
    need_packages()
    compiler = os.path.join(TRACKER, "node_modules/typescript/bin/tsc")
    node(compiler, "--noEmit", cwd=TRACKER)
    folder = world.suite.path("consumer")
    os.makedirs(os.path.join(folder, "node_modules/@evstream"))
    os.symlink(TRACKER, os.path.join(folder, "node_modules/@evstream/tracker"))
    with open(os.path.join(folder, "good.mts"), "w", encoding="utf-8") as file:
        file.write("""import { createTracker, type Evs, type Options } from '@evstream/tracker';
            const options: Options = { key: 'k', host: 'https://c.example', consent: 'pending' };
            createTracker(options).track('Product Added', { sku: 'lamp', price: 59.9 });
            // @ts-expect-error: an event's name is a text
            createTracker(options).track(1);
            // @ts-expect-error: there is no such consent
            createTracker({ ...options, consent: 'maybe' });
            declare const evs: Evs;
            evs.push(['identify', 'ann', { plan: 'gold' }], ['flush']);
            // @ts-expect-error: there is no such call
            evs.push(['sell']);
        """)
    node(compiler, "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom", "good.mts", cwd=folder)


def parts(_):
    need_packages()
    node("--test", "--test-timeout=60000", "--test-force-exit", *(f"test/{name}.test.ts" for name in ("parts", "transport")), cwd=TRACKER)


# --- in Chromium -------------------------------------------------------------------------------------------------------


class Visitor:
    """A browser of its own on pages of the site that carry the tracker. Events are found by the visitor's name in the page's path."""

    def __init__(self, world, name, attributes="", body="", collector=None, before="", options=None):
        self.world, self.name = world, name
        self.collector = collector or world.collector
        self.path = f"/{name}"
        html = f"""<!doctype html><title>Lamps</title><link rel="icon" href="data:,"><script>window.evs = window.evs || []; {before}</script>
            <script defer src="{self.collector.url}/evs.js" data-key="{KEY}" {attributes}></script><body>{body}"""
        for path in (self.path, self.path + "/next"):
            world.site.pages[path] = html
        self.options = options

    def open(self, query="", page=None, path=None, before=None):
        self.page = page or self.name
        url = self.world.site.url + (path or self.path) + query
        self.world.browser("open", context=self.name, page=self.page, url=url, options=self.options, before=before)
        self.world.browser("wait", page=self.page, code="typeof evs.track == 'function'")
        return self

    def run(self, code):
        return self.world.browser("run", page=self.page, code=code)

    def stored(self):
        """Names of what the browser keeps, in cookies and in local storage."""
        cookies = [cookie["name"] for cookie in self.world.browser("cookies", context=self.name)]
        return sorted(set(cookies) | set(self.run("Object.keys(localStorage)")))

    def is_mine(self, event):
        return str(event.get("context", {}).get("page", {}).get("path")).startswith(self.path)

    def events(self, count, what):
        return self.world.events_of(self.is_mine, count, what)

    def close(self):
        self.world.browser("close", page=self.page)


def calls(world):
    """Each call is an event of its kind; what belongs to the visitor and the session is the same on all."""
    visitor = Visitor(world, "calls").open("?utm_source=mail&utm_campaign=may&gclid=G1#top")
    visitor.run("""() => {
        evs.track('Product Added', {sku: 'lamp', price: 59.9});
        evs.identify('ann', {plan: 'gold'});
        evs.group('acme', {seats: 5});
        evs.alias('ann-2');
        evs.page('Again', {shelf: 3});
        evs.flush();
    }""")
    events = visitor.events(6, "every call of the tracker")
    first = one(events, type="page", user_id=None) if any(e["type"] == "page" and e.get("user_id") is None for e in events) else None
    assert first, "the page itself was told before anybody was identified"
    for event in events:
        holds(event, {"source": SOURCE, "anonymous_id": first["anonymous_id"], "session_id": first["session_id"], "context": {
            "page": {"url": ..., "title": "Lamps"}, "campaign": {"source": "mail", "name": "may", "gclid": "G1"}, "library": {"name": "evs.js"},
            "locale": "en-US", "screen": {"width": ...}, "origin": {"protocol": "segment"}}})
        occurred, received = (datetime.datetime.fromisoformat(event[name]) for name in ("occurred_at", "received_at"))
        assert occurred <= received, f"{event['type']} occurred {occurred} and was received {received}"
    holds(one(events, type="add_to_cart"), {"properties": {"sku": "lamp", "price": 59.9}})
    holds(one(events, type="identify"), {"user_id": "ann", "properties": {"plan": "gold"}})
    for kind in ("group", "alias"):
        holds(one(events, type=kind), {"user_id": "ann" if kind == "group" else "ann-2"})
    visitor.close()


def visits(world):
    """The next page knows visitor, person and session; reset forgets all three."""
    visitor = Visitor(world, "visits").open("?utm_source=mail")
    visitor.run("() => evs.identify('bob')")
    visitor.close()
    visitor.open(page="visits-2", path="/visits/next")
    visitor.run("() => { evs.reset(); evs.track('After'); evs.flush(); }")
    page, identify, second, after = visitor.events(4, "two pages of one visitor")
    holds(identify, {"type": "identify", "user_id": "bob"})
    holds(second, {"type": "page", "user_id": "bob", "anonymous_id": page["anonymous_id"], "session_id": page["session_id"],
                   "context": {"campaign": {"source": "mail"}, "page": {"path": "/visits/next"}}})
    holds(after, {"type": "after"})
    assert "user_id" not in after or after["user_id"] is None, after
    assert after["anonymous_id"] != page["anonymous_id"] and after["session_id"] != page["session_id"], "reset keeps nothing"
    visitor.close()


def before_load(world):
    """Calls that were made before the script was there come, in their order, behind nothing lost."""
    visitor = Visitor(world, "before", before="evs.push(['track', 'Early', {n: 1}]); evs.push(['identify', 'cid']);").open()
    visitor.run("() => evs.flush()")
    events = visitor.events(3, "calls before the script")
    holds(one(events, type="early"), {"properties": {"n": 1}})
    holds(one(events, type="identify"), {"user_id": "cid"})
    visitor.close()


def routes(world):
    """A single-page application's routes are pages, each with the one before as its referrer; the part behind # is none."""
    visitor = Visitor(world, "routes").open()
    visitor.run("""async () => {
        const turn = () => new Promise((done) => setTimeout(done, 20));
        history.pushState({}, '', '/routes/cart'); document.title = 'Cart'; await turn();
        history.pushState({}, '', '/routes/cart#top'); await turn();
        history.replaceState({}, '', '/routes/cart?step=2'); await turn();
        history.back(); await new Promise((done) => addEventListener('popstate', done)); await turn();
        evs.flush();
    }""")
    events = visitor.events(4, "routes of a single-page application")
    # Pairs, for the order may be another one: each batch's times are set right by how long it was on the way.
    pages = [event["context"]["page"] for event in events]
    found = sorted((page["path"] + page["search"], page["referrer"].removeprefix(world.site.url)) for page in pages)
    assert found == [("/routes", ""), ("/routes/cart", "/routes"), ("/routes/cart", "/routes/cart?step=2"), ("/routes/cart?step=2", "/routes/cart")], pages
    holds(next(event for event in events if event["context"]["page"]["referrer"].endswith("/routes")), {"context": {"page": {"title": "Cart"}}})
    visitor.close()


def clicks(world):
    """Clicks on marked elements, also on what is in them, and forms when they are submitted."""
    body = """<button data-evs-event="Product Added" data-evs-sku="007" data-evs-props='{"price": 59.9}'><b id="inner">Buy</b></button>
        <form data-evs-event="Signed Up" onsubmit="return false"><input id="field"><button id="send">Send</button></form><p id="plain">…</p>"""
    visitor = Visitor(world, "clicks", body=body).open()
    for selector in ("#plain", "#inner", "#field", "#send"):
        world.browser("click", page="clicks", selector=selector)
    visitor.run("() => evs.flush()")
    events = visitor.events(3, "clicks on marked elements")
    holds(one(events, type="add_to_cart"), {"properties": {"sku": "007", "price": 59.9}})
    one(events, type="signed_up")
    visitor.close()


def closed(world):
    """The page is closed right behind the click: nothing waits for the next second."""
    visitor = Visitor(world, "closed", body='<button id="buy" data-evs-event="Order Completed">Buy</button>').open()
    world.browser("click", page="closed", selector="#buy")
    visitor.close()
    holds(one(visitor.events(2, "a click before the page was closed"), type="purchase"), {"source": SOURCE})


def navigated(world):
    """Five hundred events in one go, and away: a beacon holds 64 KB, the rest comes with the next page."""
    visitor = Visitor(world, "navigated").open()
    visitor.run("() => { for (let n = 0; n < 500; n++) evs.track('Burst', {n}); }")
    world.browser("go", page="navigated", url=world.site.url + "/navigated/next")

    def arrived():
        return {e["properties"]["n"] for e in world.events() if visitor.is_mine(e) and e["type"] == "burst"}

    wait_until(lambda: len(arrived()) == 500, "all five hundred events", 60)
    visitor.close()


def offline(world):
    """What happens while the browser is offline is sent when it is back, in its own time."""
    visitor = Visitor(world, "offline").open()
    visitor.run("() => evs.flush()")
    visitor.events(1, "the page")
    world.browser("offline", context="offline", value=True)
    visitor.run("() => { evs.track('Away'); evs.flush(); }")
    wait = "Object.keys(localStorage).some((name) => name.startsWith('evs_q.'))"
    world.browser("wait", page="offline", code=wait)
    world.browser("offline", context="offline", value=False)
    holds(one(visitor.events(2, "an event from before the browser was back"), type="away"), {"source": SOURCE})
    world.browser("wait", page="offline", code=f"!({wait})")
    visitor.close()


def offline_closed(world):
    """Offline, and the page is closed: the next page of the site sends what this one could not."""
    visitor = Visitor(world, "parked").open()
    visitor.run("() => evs.flush()")
    visitor.events(1, "the page")
    world.browser("offline", context="parked", value=True)
    visitor.run("() => evs.track('Parked')")
    visitor.close()
    world.browser("offline", context="parked", value=False)
    visitor.open(page="parked-2", path="/parked/next")
    one(visitor.events(3, "an event of a page that was closed offline"), type="parked")
    assert not any(name.startswith("evs_q.") for name in visitor.stored()), visitor.stored()
    visitor.close()


def restarted(world):
    """The collector is killed and comes back: events in between are sent again until it takes them."""
    collector = world.once("second collector", lambda: Collector(world.suite, world.nats, "second"))
    visitor = Visitor(world, "restarted", collector=collector).open()
    visitor.run("() => evs.flush()")
    visitor.events(1, "the page")
    collector.kill()
    visitor.run("() => { evs.track('Between', {n: 1}); evs.track('Between', {n: 2}); evs.flush(); }")
    world.browser("wait", page="restarted", code="Object.keys(localStorage).some((name) => name.startsWith('evs_q.'))")
    collector.start()
    events = visitor.events(3, "events from while the collector was away")
    assert sorted(e["properties"]["n"] for e in events if e["type"] == "between") == [1, 2]
    visitor.close()


def consent(world):
    """Before consent nothing is stored and nothing sent; then what waited comes; after a refusal nothing is left."""
    visitor = Visitor(world, "consent", 'data-consent="pending"').open()
    visitor.run("() => { evs.identify('dora'); evs.track('Waiting'); evs.flush(); }")
    assert visitor.stored() == [], f"stored without consent: {visitor.stored()}"
    visitor.run("() => { evs.consent('granted'); evs.flush(); }")
    events = visitor.events(3, "what waited for consent")
    holds(one(events, type="waiting"), {"user_id": "dora", "anonymous_id": ..., "session_id": ...})
    assert {"evs_aid", "evs_ses", "evs_uid"} <= set(visitor.stored()), visitor.stored()
    visitor.run("() => { evs.track('Withdrawn'); evs.consent('denied'); evs.track('Refused'); evs.flush(); }")
    assert visitor.stored() == [], f"stored after a refusal: {visitor.stored()}"
    visitor.run("() => { evs.consent('granted'); evs.track('Anew'); evs.flush(); }")
    events = visitor.events(4, "consent that was given again")
    assert one(events, type="anew")["anonymous_id"] != one(events, type="waiting")["anonymous_id"], "a refusal forgets who it was"
    visitor.close()


def returning(world):
    """Who has agreed before is known again, although the page asks for consent anew each time."""
    visitor = Visitor(world, "returning", 'data-consent="pending"').open()
    visitor.run("() => { evs.consent('granted'); evs.flush(); }")
    visitor.close()
    visitor.open(page="returning-2")
    visitor.run("() => { evs.consent('granted'); evs.flush(); }")
    first, second = visitor.events(2, "two visits with consent")
    holds(second, {"anonymous_id": first["anonymous_id"], "session_id": first["session_id"]})
    visitor.close()


def global_privacy_control(world):
    """Who asks not to be followed leaves nothing in the browser."""
    visitor = Visitor(world, "gpc").open(before="Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    visitor.run("() => { evs.track('Private'); evs.flush(); }")
    events = visitor.events(2, "events under Global Privacy Control")
    holds(one(events, type="private"), {"context": {"privacy": {"gpc": True}}})
    assert visitor.stored() == [], visitor.stored()
    visitor.close()


def cookieless(world):
    """Nothing in the browser, no id on the way: the collector makes one of the day, the same for the same visitor."""
    collector = world.once("cookieless", lambda: Collector(world.suite, world.nats, "cookieless", "--cookieless"))
    visitor = Visitor(world, "cookieless", "data-cookieless", collector=collector).open()
    visitor.run("() => { evs.track('Quiet'); evs.flush(); }")
    events = visitor.events(2, "events without a cookie")
    assert len({event["anonymous_id"] for event in events}) == 1, [event.get("anonymous_id") for event in events]
    assert visitor.stored() == [], visitor.stored()
    visitor.close()


def tests(world):
    alone = (size, build, types, parts)
    in_pages = (calls, visits, before_load, routes, clicks, closed, navigated, offline, offline_closed, restarted, consent, returning,
                global_privacy_control, cookieless)
    for test in alone + in_pages:
        yield f"tracker {test.__name__}", lambda test=test: test(world)
