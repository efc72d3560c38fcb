// @rudderstack/analytics-js, the build that brings its plugins along.
import { RudderAnalytics } from '@rudderstack/analytics-js/bundled';

export default function start(collector, key) {
    const rudder = new RudderAnalytics();
    rudder.load(key, collector, { configUrl: collector });
    return rudder;
}
