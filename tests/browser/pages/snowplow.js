// @snowplow/browser-tracker.
import * as snowplow from '@snowplow/browser-tracker';

export default function start(collector, appId) {
    snowplow.newTracker('sp', collector, { appId });
    return snowplow;
}
