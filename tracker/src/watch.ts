// What a page tells by itself: views, also of a single-page application, clicks on marked elements, and its end.

import type { Properties } from './types.ts';

const PREFIX = 'data-evs-';

/**
 * What an element's attributes say: `data-evs-product-id="7"` is `product_id: "7"`; `data-evs-props` is JSON, for numbers
 * and lists. Attributes win.
 */
export const propertiesOf = (attributes: Iterable<{ name: string; value: string }>): Properties => {
    const properties: Properties = {};
    let json = {};
    for (const { name, value } of attributes) {
        if (name == PREFIX + 'props') {
            try {
                json = JSON.parse(value);
            } catch {}
        } else if (!name.indexOf(PREFIX) && name != PREFIX + 'event') {
            properties[name.slice(PREFIX.length).replace(/-/g, '_')] = value;
        }
    }
    return { ...json, ...properties };
};

/** Clicks on an element with `data-evs-event`, or on anything in it; a form's is told when it is submitted. */
export const watchClicks = (track: (event: string, properties: Properties) => void) =>
    ['click', 'submit'].map((type) =>
        addEventListener(
            type,
            (event) => {
                const target = event.target as Element | null;
                const marked = target && target.closest && target.closest(`[${PREFIX}event]`);
                if (marked && (marked.tagName == 'FORM') == (type == 'submit')) {
                    track(marked.getAttribute(PREFIX + 'event')!, propertiesOf(marked.attributes));
                }
            },
            true,
        ),
    );

/**
 * Calls `seen` for the page and for each further route. The part behind # is no route of its own. A page that is loaded
 * ahead counts when it is shown, one that comes out of the back-forward cache counts again.
 */
export const watchPages = (seen: () => void) => {
    let shown: string;
    const look = () => {
        const now = location.pathname + location.search;
        now == shown || seen();
        shown = now;
    };
    // Applications set the title after the route: what comes at once is waited for.
    const changed = () => setTimeout(look);
    (['pushState', 'replaceState'] as const).map((name) => {
        const original = history[name];
        history[name] = function (...rest) {
            original.apply(this, rest);
            changed();
        };
    });
    addEventListener('popstate', changed);
    addEventListener('pageshow', (event) => event.persisted && seen());
    if ((document as { prerendering?: boolean }).prerendering) {
        document.addEventListener('prerenderingchange', look, { once: true });
    } else {
        look();
    }
};

/** Chromium tells `pagehide` before `visibilitychange`, others only one of the two: listen to both. */
export const watchEnd = (leave: () => void) => {
    addEventListener('pagehide', leave);
    document.addEventListener('visibilitychange', () => document.visibilityState == 'hidden' && leave());
};
