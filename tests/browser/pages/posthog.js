// posthog-js; it would keep silent in a headless browser.
import posthog from 'posthog-js';

export default function start(collector, key) {
    posthog.init(key, { api_host: collector, opt_out_useragent_filter: true, autocapture: true });
    return posthog;
}
