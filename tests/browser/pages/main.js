// One bundle for the clients of other people: a page says which one it starts.
import posthog from './posthog.js';
import rudder from './rudder.js';
import segment from './segment.js';
import snowplow from './snowplow.js';

const starts = { posthog, rudder, segment, snowplow };
window.start = (name, collector, key) => (window.client = starts[name](collector, key));
