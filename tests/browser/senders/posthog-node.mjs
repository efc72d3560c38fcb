// posthog-node: capture, identify, alias, groups.
import { PostHog } from 'posthog-node';

const [host, key] = process.argv.slice(2);
const posthog = new PostHog(key, { host });
const distinctId = 'posthog-node';

posthog.capture({ distinctId, event: 'Product Added', properties: { sku: 'lamp', price: 59.9 } });
posthog.identify({ distinctId, properties: { plan: 'gold' } });
posthog.alias({ distinctId, alias: 'before' });
posthog.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { seats: 5 }, distinctId });
await posthog.shutdown();
