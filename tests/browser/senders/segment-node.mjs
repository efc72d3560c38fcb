// @segment/analytics-node: every call of Segment's specification, in batches.
import { Analytics } from '@segment/analytics-node';

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ writeKey, host, flushAt: 4 });
const userId = 'segment-node';

analytics.identify({ userId, traits: { email: 'ann@example.com', plan: 'gold' } });
analytics.track({ userId, event: 'Product Added', properties: { sku: 'lamp', price: 59.9, quantity: 2 } });
analytics.track({ userId, event: 'Order Completed', properties: { order_id: '7', revenue: 119.8 }, timestamp: new Date('2026-01-05T10:00:00Z') });
analytics.page({ userId, name: 'Home', properties: { url: 'https://shop.example/' } });
analytics.screen({ userId, name: 'Cart' });
analytics.group({ userId, groupId: 'acme', traits: { seats: 5 } });
analytics.alias({ userId, previousId: 'before' });
await analytics.closeAndFlush();
