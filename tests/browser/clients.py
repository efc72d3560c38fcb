"""Clients that other people have written, from npm, unmodified, pointed at our collector by the option that each has for that: every kind of event
that they send arrives in JetStream, once, with the canonical fields right."""

import os

from world import HERE, KEY, SOURCE, holds, node, one


def send(world, script):
    node(os.path.join(HERE, "senders", script), world.collector.url, KEY, cwd=HERE)


def common(events, user, protocol):
    for event in events:
        holds(event, {"event_id": ..., "occurred_at": ..., "received_at": ..., "source": SOURCE, "user_id": user, "context": {"origin": {"protocol": protocol}}})


def segment_node(world):
    send(world, "segment-node.mjs")
    events = world.events_of(lambda e: e.get("user_id") == "segment-node", 7, "analytics-node")
    common(events, "segment-node", "segment")
    holds(one(events, type="add_to_cart"), {"properties": {"sku": "lamp", "price": 59.9, "quantity": 2}, "context": {"library": {"name": "@segment/analytics-node"}}})
    holds(one(events, type="purchase"), {"occurred_at": "2026-01-05T10:00:00Z", "properties": {"order_id": "7", "revenue": 119.8}})
    holds(one(events, type="identify"), {"properties": {"email": "ann@example.com", "plan": "gold"}})
    holds(one(events, type="page"), {"properties": {"url": "https://shop.example/"}})
    for kind in ("screen", "group", "alias"):
        one(events, type=kind)


def rudder_node(world):
    send(world, "rudder-node.mjs")
    events = world.events_of(lambda e: e.get("user_id") == "rudder-node", 6, "rudder-sdk-node")
    common(events, "rudder-node", "rudderstack")
    holds(one(events, type="add_to_cart"), {"properties": {"sku": "lamp", "price": 59.9}, "context": {"library": {"name": "analytics-node", "version": "3.0.13"}}})
    for kind in ("identify", "page", "screen", "group", "alias"):
        one(events, type=kind)


def snowplow_node(world):
    send(world, "snowplow-node.mjs")
    events = world.events_of(lambda e: e.get("user_id") == "snowplow-node", 3, "the Snowplow tracker for Node.js")
    common(events, "snowplow-node", "snowplow")
    holds(one(events, type="page"), {"context": {"page": {"url": "https://shop.example/lamp", "title": "Lamp", "referrer": "https://search.example/"}}})
    holds(one(events, type="add_to_basket"), {"properties": {"label": "lamp"}})
    holds(one(events, type="product_view"), {"properties": {"sku": "lamp"}})


def posthog_node(world):
    send(world, "posthog-node.mjs")
    events = world.events_of(lambda e: "posthog-node" in (e.get("user_id"), e.get("anonymous_id")), 4, "posthog-node")
    holds(one(events, type="add_to_cart"), {"source": SOURCE, "properties": {"sku": "lamp", "price": 59.9}, "context": {"origin": {"protocol": "posthog"}}})
    for kind in ("identify", "alias", "group"):
        one(events, type=kind)


# --- in Chromium -------------------------------------------------------------------------------------------------------


def open_client(world, name):
    """A page of a shop that starts a client; what a test sends on it names the page's path."""
    world.bundle()
    path = f"/{name}"
    world.site.pages[path] = f"""<!doctype html><title>Lamps</title><link rel="icon" href="data:,"><script src="/clients.js"></script>
        <button id="buy">Buy</button><script>start({name!r}, {world.collector.url!r}, {KEY!r})</script>"""
    url = f"{world.site.url}{path}?utm_source=mail&utm_campaign=may"
    world.browser("open", context=name, page=name, url=url)
    return lambda event: event.get("context", {}).get("page", {}).get("path") == path or path in str(event.get("context", {}).get("page", {}).get("url"))


def segment_browser(world):
    mine = open_client(world, "segment")
    world.browser("run", page="segment", code="""async () => {
        await client.page('Lamp');
        await client.identify('segment-browser', {plan: 'gold'});
        await client.track('Product Added', {sku: 'lamp', price: 59.9});
        await client.group('acme', {seats: 5});
        await client.alias('segment-browser-2');
    }""")
    events = world.events_of(mine, 5, "analytics-next")
    added = one(events, type="add_to_cart")
    holds(added, {"user_id": "segment-browser", "anonymous_id": ..., "source": SOURCE, "properties": {"sku": "lamp", "price": 59.9},
                  "context": {"campaign": {"source": "mail", "name": "may"}, "library": {"name": "analytics.js"}}})
    holds(one(events, type="page"), {"anonymous_id": added["anonymous_id"], "context": {"page": {"title": "Lamps"}}})
    for kind in ("identify", "group", "alias"):
        one(events, type=kind)


def rudder_browser(world):
    mine = open_client(world, "rudder")
    world.browser("run", page="rudder", code="""() => {
        client.page('Lamp');
        client.identify('rudder-browser', {plan: 'gold'});
        client.track('Product Added', {sku: 'lamp', price: 59.9});
        client.group('acme', {seats: 5});
        client.alias('rudder-browser-2');
    }""")
    events = world.events_of(mine, 5, "RudderStack's analytics-js")
    holds(one(events, type="add_to_cart"), {"user_id": "rudder-browser", "anonymous_id": ..., "session_id": ..., "source": SOURCE,
                                            "properties": {"sku": "lamp", "price": 59.9}, "context": {"campaign": {"source": "mail", "name": "may"}}})
    for kind in ("page", "identify", "group", "alias"):
        one(events, type=kind)


def snowplow_browser(world):
    mine = open_client(world, "snowplow")
    world.browser("run", page="snowplow", code="""() => {
        client.setUserId('snowplow-browser');
        client.trackPageView();
        client.trackStructEvent({category: 'shop', action: 'add-to-basket', label: 'lamp', value: 59.9});
        client.trackSelfDescribingEvent({event: {schema: 'iglu:com.shop/product_view/jsonschema/1-0-0', data: {sku: 'lamp'}}});
    }""")
    events = world.events_of(mine, 3, "Snowplow's browser-tracker")
    common(events, "snowplow-browser", "snowplow")
    ids = {(event["anonymous_id"], event["session_id"]) for event in events}
    assert len(ids) == 1, f"one visitor, one session: {ids}"
    holds(one(events, type="product_view"), {"properties": {"sku": "lamp"}})
    holds(one(events, type="page"), {"context": {"page": {"title": "Lamps"}}})
    one(events, type="add_to_basket")
    names = {cookie["name"] for cookie in world.browser("cookies", context="snowplow")}
    assert "sp" in names, f"the collector's own cookie is missing: {names}"


def posthog_browser(world):
    mine = open_client(world, "posthog")
    world.browser("run", page="posthog", code="""() => {
        client.identify('posthog-browser', {plan: 'gold'});
        client.capture('Product Added', {sku: 'lamp', price: 59.9});
        client.group('company', 'acme', {seats: 5});
    }""")
    world.browser("click", page="posthog", selector="#buy")
    kinds = {"page", "identify", "add_to_cart", "group"}
    events = world.events_of(lambda e: mine(e) and e["type"] in kinds, 4, "posthog-js")
    holds(one(events, type="add_to_cart"), {"user_id": "posthog-browser", "source": SOURCE, "properties": {"sku": "lamp", "price": 59.9}})
    for kind in kinds:
        one(events, type=kind)
    clicks = world.events_of(lambda e: mine(e) and e["type"] == "autocapture", 1, "posthog-js's own capture of a click")
    holds(clicks[0], {"user_id": "posthog-browser"})


def tests(world):
    for test in (segment_node, rudder_node, snowplow_node, posthog_node, segment_browser, rudder_browser, snowplow_browser, posthog_browser):
        yield f"client {test.__name__}", lambda test=test: test(world)
