/*! evstream tracker 0.1.0, Apache-2.0 */

// src/context.ts
var campaignOf = (search) => {
  const campaign = {};
  let found;
  new URLSearchParams(search).forEach((value, name) => {
    const match = /^(?:utm_(\w+)|(?:g|fb|tt)clid|msclkid|[gw]braid)$/.exec(name);
    if (match && value) {
      campaign[match[1] == "campaign" ? "name" : match[1] || name] = value;
      found = campaign;
    }
  });
  return found;
};
var pageOf = (referrer) => ({
  path: location.pathname,
  referrer,
  search: location.search,
  title: document.title,
  url: location.href
});
var browser = () => ({
  library: { name: "evs.js", version: "0.1.0" },
  locale: navigator.language,
  timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  screen: { width: screen.width, height: screen.height, density: devicePixelRatio },
  bot: navigator.webdriver || void 0
});
var privacyControl = () => navigator.globalPrivacyControl;

// src/identity.ts
var SESSION_MS = 18e5;
var newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => (byte + 256).toString(16).slice(1)).join("");
var sessionAt = (now, stored) => {
  let last;
  try {
    last = stored && JSON.parse(stored);
  } catch {
  }
  return last && now - last.last < SESSION_MS ? [{ ...last, last: now }, false] : [{ id: newId(), last: now, number: (last && last.number || 0) + 1 }, true];
};

// src/store.ts
var DAY_S = 86400;
var QUEUE = "evs_q.";
var attempt = (action) => {
  try {
    return action();
  } catch {
    return void 0;
  }
};
var store = (action) => attempt(() => action(localStorage));
var forget = (name) => store((storage) => storage.removeItem(name));
var cookie = (name, value, days, domain) => {
  document.cookie = `${name}=${encodeURIComponent(value)};path=/;max-age=${days * DAY_S};samesite=lax` + (domain ? `;domain=${domain}` : "") + (location.protocol == "https:" ? ";secure" : "");
};
var read = (name) => attempt(() => {
  const found = document.cookie.match(`(?:^|; )${name}=([^;]*)`);
  return found && decodeURIComponent(found[1]);
}) || store((storage) => storage.getItem(name)) || void 0;
var write = (name, value, domain) => {
  attempt(() => cookie(name, value, value ? 365 : 0, domain));
  value ? store((storage) => storage.setItem(name, value)) : forget(name);
};
var keepQueue = (page, queue) => queue.length ? store((storage) => storage.setItem(QUEUE + page, JSON.stringify(queue))) : forget(QUEUE + page);
var adoptQueues = (page, adopted) => store(
  (storage) => Object.keys(storage).filter((name) => !name.indexOf(QUEUE) && name != QUEUE + page).map((name) => {
    adopted(attempt(() => JSON.parse(storage.getItem(name))) || []);
    forget(name);
  })
);
var forgetQueues = () => adoptQueues("", () => {
});

// src/transport.ts
var BATCH_EVENTS = 20;
var CHUNK_CHARS = 3e4;
var QUEUE_MAX = 1e3;
var FLUSH_MS = 1e3;
var RETRY_MS = 1e3;
var RETRY_MAX_MS = 6e4;
var backoff = (failures, random, asked) => +asked * 1e3 || Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** failures) * (0.5 + random);
var chunk = (queue) => {
  let count = 0;
  for (let chars = 0; count < queue.length; count++) {
    chars += queue[count].length;
    if (count && chars > CHUNK_CHARS) {
      break;
    }
  }
  return queue.slice(0, count);
};
var newTransport = (host, key, mayKeep) => {
  const url = host + "/v1/batch";
  const page = newId();
  let queue = [];
  let underWay = [];
  let failures = 0;
  let isKept = false;
  let timer;
  const keep = () => {
    isKept = mayKeep();
    isKept && keepQueue(page, queue);
  };
  const without = (sent) => queue.filter((message) => !sent.includes(message));
  const body = (batch) => `{"batch":[${batch}],"writeKey":${JSON.stringify(key)},"sentAt":"${(/* @__PURE__ */ new Date()).toISOString()}"}`;
  const later = (delay) => {
    timer = timer || setTimeout(flush, delay);
  };
  const stop = () => {
    clearTimeout(timer);
    timer = void 0;
  };
  const done = () => {
    queue = without(underWay);
    underWay = [];
    failures = 0;
    isKept && keep();
    queue.length && later(0);
  };
  const failed = (asked) => {
    underWay = [];
    keep();
    stop();
    later(backoff(failures++, Math.random(), asked));
  };
  const flush = () => {
    stop();
    if (underWay.length || !queue.length) {
      return;
    }
    underWay = chunk(queue);
    fetch(url, { method: "POST", body: body(underWay), keepalive: true }).then(
      (answer) => answer.text().then(
        () => answer.status == 429 || answer.status > 499 ? failed(answer.headers.get("retry-after")) : done()
      )
    ).catch(() => failed());
  };
  return {
    flush,
    add(message) {
      queue.push(message);
      queue = queue.slice(-QUEUE_MAX);
      queue.length < BATCH_EVENTS || failures ? later(FLUSH_MS) : flush();
    },
    leave() {
      let rest;
      while (!failures && navigator.onLine && (rest = chunk(without(underWay))).length) {
        if (!navigator.sendBeacon(url, body(rest))) {
          break;
        }
        queue = without(rest);
      }
      keep();
    },
    clear() {
      queue = [];
    },
    adopt() {
      adoptQueues(page, (left) => {
        queue.push(...left);
        keep();
      });
      flush();
    }
  };
};

// src/watch.ts
var PREFIX = "data-evs-";
var propertiesOf = (attributes) => {
  const properties = {};
  let json = {};
  for (const { name, value } of attributes) {
    if (name == PREFIX + "props") {
      try {
        json = JSON.parse(value);
      } catch {
      }
    } else if (!name.indexOf(PREFIX) && name != PREFIX + "event") {
      properties[name.slice(PREFIX.length).replace(/-/g, "_")] = value;
    }
  }
  return { ...json, ...properties };
};
var watchClicks = (track) => ["click", "submit"].map(
  (type) => addEventListener(
    type,
    (event) => {
      const target = event.target;
      const marked = target && target.closest && target.closest(`[${PREFIX}event]`);
      if (marked && marked.tagName == "FORM" == (type == "submit")) {
        track(marked.getAttribute(PREFIX + "event"), propertiesOf(marked.attributes));
      }
    },
    true
  )
);
var watchPages = (seen) => {
  let shown;
  const look = () => {
    const now = location.pathname + location.search;
    now == shown || seen();
    shown = now;
  };
  const changed = () => setTimeout(look);
  ["pushState", "replaceState"].map((name) => {
    const original = history[name];
    history[name] = function(...rest) {
      original.apply(this, rest);
      changed();
    };
  });
  addEventListener("popstate", changed);
  addEventListener("pageshow", (event) => event.persisted && seen());
  if (document.prerendering) {
    document.addEventListener("prerenderingchange", look, { once: true });
  } else {
    look();
  }
};
var watchEnd = (leave) => {
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => document.visibilityState == "hidden" && leave());
};

// src/tracker.ts
var ANONYMOUS = "evs_aid";
var USER = "evs_uid";
var SESSION = "evs_ses";
var createTracker = (options) => {
  const isPrivate = options.cookieless || privacyControl();
  const memory = {};
  let state;
  let held = [];
  let address = location.href;
  let referrer = document.referrer;
  const mayKeep = () => state == "granted" && !isPrivate;
  const transport = newTransport(options.host, options.key, mayKeep);
  const get = (name) => memory[name] || mayKeep() && read(name) || void 0;
  const put = (name, value) => {
    memory[name] = value;
    mayKeep() && write(name, value, options.domain);
  };
  const anonymousId = () => {
    if (options.cookieless) {
      return void 0;
    }
    const id = get(ANONYMOUS) || newId();
    memory[ANONYMOUS] == id || put(ANONYMOUS, id);
    return id;
  };
  const session = (landing) => {
    const [current, isNew] = sessionAt(Date.now(), mayKeep() && read(SESSION) || memory[SESSION]);
    current.campaign = landing || current.campaign;
    put(SESSION, JSON.stringify(current));
    return {
      campaign: current.campaign,
      sessionId: current.id,
      sessionNumber: current.number,
      sessionStart: isNew || void 0
    };
  };
  const send = (type, fields) => {
    const timestamp = /* @__PURE__ */ new Date();
    const page2 = pageOf(referrer);
    const landing = campaignOf(location.search);
    const add = () => transport.add(
      JSON.stringify({
        type,
        messageId: newId(),
        timestamp,
        anonymousId: anonymousId(),
        userId: get(USER),
        ...fields,
        context: {
          page: page2,
          ...browser(),
          ...options.cookieless ? { campaign: landing } : session(landing),
          consent: options.consent && state,
          gpc: privacyControl() || void 0
        }
      })
    );
    state == "granted" ? add() : state == "pending" && held.push(add);
  };
  const page = (name, properties) => {
    if (location.href != address) {
      referrer = address;
      address = location.href;
    }
    send("page", { name, properties: { ...pageOf(referrer), ...properties } });
  };
  const consent = (next) => {
    state = next;
    if (next == "denied") {
      held = [];
      transport.clear();
      forgetQueues();
      [ANONYMOUS, USER, SESSION].map((name) => {
        write(name, "", options.domain);
        delete memory[name];
      });
    }
    if (mayKeep()) {
      Object.keys(memory).map((name) => write(name, memory[name], options.domain));
      transport.adopt();
    }
    if (next == "granted") {
      held.map((add) => add());
      held = [];
    }
  };
  const tracker = {
    track: (event, properties) => send("track", { event, properties }),
    page,
    identify(userId, traits) {
      put(USER, userId);
      send("identify", { traits });
    },
    group: (groupId, traits) => send("group", { groupId, traits }),
    alias: (userId, previousId) => send("alias", { userId, previousId: previousId || get(USER) || anonymousId() }),
    reset() {
      [ANONYMOUS, USER, SESSION].map((name) => put(name, ""));
    },
    consent,
    flush: transport.flush,
    anonymousId
  };
  consent(options.consent || "granted");
  watchEnd(transport.leave);
  addEventListener("online", transport.flush);
  options.clicks == false || watchClicks(tracker.track);
  options.pages == false || watchPages(page);
  return tracker;
};
export {
  createTracker
};
