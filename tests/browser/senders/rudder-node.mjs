// @rudderstack/rudder-sdk-node: the same calls, gzip as by default, the key in the header alone.
import RudderAnalytics from '@rudderstack/rudder-sdk-node';

const [dataPlaneUrl, key] = process.argv.slice(2);
const rudder = new RudderAnalytics(key, { dataPlaneUrl, flushAt: 20, flushInterval: 500 });
const userId = 'rudder-node';

rudder.identify({ userId, traits: { plan: 'gold' } });
rudder.track({ userId, event: 'Product Added', properties: { sku: 'lamp', price: 59.9, quantity: 2 } });
rudder.page({ userId, name: 'Home', properties: { url: 'https://shop.example/' } });
rudder.screen({ userId, name: 'Cart' });
rudder.group({ userId, groupId: 'acme', traits: { seats: 5 } });
rudder.alias({ userId, previousId: 'before' });
await rudder.flush();
process.exit(0); // its timers go on
