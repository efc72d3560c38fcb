// The script tag: reads its own attributes, plays back what the page has called before, and takes the place of the array.
//
//   <script>window.evs = window.evs || []</script>
//   <script defer src="https://c.example.com/evs.js" data-key="…"></script>

import { createTracker } from './tracker.ts';
import type { Call, Consent, Evs } from './types.ts';

const script = document.currentScript as HTMLScriptElement;
const { key, host, domain, consent, cookieless, pages, clicks } = script.dataset;

const tracker = createTracker({
    key: key || '',
    host: host || new URL(script.src).origin,
    domain,
    consent: consent as Consent,
    cookieless: cookieless != undefined,
    pages: pages != 'off',
    clicks: clicks != 'off',
}) as Evs;

tracker.push = (...calls: Call[]) =>
    calls.forEach(([method, ...rest]) => (tracker[method] as (...parameters: unknown[]) => void)(...rest));

const before = window.evs as Call[] | undefined;
window.evs = tracker;
tracker.push(...(before || []));
