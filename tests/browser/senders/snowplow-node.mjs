// @snowplow/node-tracker: page views, structured and self-describing events, base64 as by default.
import { buildPageView, buildSelfDescribingEvent, buildStructEvent, newTracker } from '@snowplow/node-tracker';

const [endpoint, appId] = process.argv.slice(2);
let sent = 0;
const tracker = newTracker(
    { namespace: 'test', appId },
    { endpoint, eventMethod: 'post', bufferSize: 1, onRequestSuccess: (batch) => (sent += batch.length) },
);
tracker.setUserId('snowplow-node');
tracker.track(buildPageView({ pageUrl: 'https://shop.example/lamp', pageTitle: 'Lamp', referrer: 'https://search.example/' }));
tracker.track(buildStructEvent({ category: 'shop', action: 'add-to-basket', label: 'lamp', property: 'red', value: 59.9 }));
tracker.track(buildSelfDescribingEvent({ event: { schema: 'iglu:com.shop/product_view/jsonschema/1-0-0', data: { sku: 'lamp' } } }));
tracker.flush();
while (sent < 3) {
    await new Promise((again) => setTimeout(again, 20));
}
