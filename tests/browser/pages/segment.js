// @segment/analytics-next, as a site bundles it.
import { AnalyticsBrowser } from '@segment/analytics-next';

export default function start(collector, writeKey) {
    const { host } = new URL(collector);
    return AnalyticsBrowser.load(
        { writeKey, cdnURL: collector },
        { integrations: { 'Segment.io': { apiHost: `${host}/v1`, protocol: 'http' } } },
    );
}
