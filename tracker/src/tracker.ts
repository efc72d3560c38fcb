// The tracker: from calls to events, by what the visitor has agreed to.
//
//   consent   cookieless / GPC   stored in the browser          sent
//   granted   no                 ids, session, unsent events    all
//   granted   yes                nothing                        all; cookieless: without ids, which the collector derives
//   pending   any                nothing                        nothing yet: events wait in memory
//   denied    any                nothing, what was is wiped     nothing

import { browser, campaignOf, pageOf, privacyControl } from './context.ts';
import { newId, sessionAt } from './identity.ts';
import { forgetQueues, read, write } from './store.ts';
import { newTransport } from './transport.ts';
import type { Consent, Options, Properties, Tracker } from './types.ts';
import { watchClicks, watchEnd, watchPages } from './watch.ts';

export type * from './types.ts';

const ANONYMOUS = 'evs_aid';
const USER = 'evs_uid';
const SESSION = 'evs_ses';

export const createTracker = (options: Options): Tracker => {
    const isPrivate = options.cookieless || privacyControl();
    const memory: Record<string, string> = {};
    let state: Consent;
    let held: (() => void)[] = []; // events that wait for consent
    let address = location.href;
    let referrer = document.referrer;

    const mayKeep = () => state == 'granted' && !isPrivate;
    const transport = newTransport(options.host, options.key, mayKeep);

    const get = (name: string) => memory[name] || (mayKeep() && read(name)) || undefined;

    // Memory has the last word: until there is consent, and where the browser refuses, it is all there is.
    const put = (name: string, value: string) => {
        memory[name] = value;
        mayKeep() && write(name, value, options.domain);
    };

    const anonymousId = () => {
        if (options.cookieless) {
            return undefined;
        }
        const id = get(ANONYMOUS) || newId();
        memory[ANONYMOUS] == id || put(ANONYMOUS, id);
        return id;
    };

    // Other tabs go on with the session, so it is read anew each time.
    const session = (landing?: Record<string, string>) => {
        const [current, isNew] = sessionAt(Date.now(), (mayKeep() && read(SESSION)) || memory[SESSION]);
        current.campaign = landing || current.campaign;
        put(SESSION, JSON.stringify(current));
        return {
            campaign: current.campaign,
            sessionId: current.id,
            sessionNumber: current.number,
            sessionStart: isNew || undefined,
        };
    };

    // The page is told as it is now. Ids and session follow when there is consent: then those of an earlier visit are known.
    const send = (type: string, fields: object) => {
        const timestamp = new Date();
        const page = pageOf(referrer);
        const landing = campaignOf(location.search);
        const add = () =>
            transport.add(
                JSON.stringify({
                    type,
                    messageId: newId(),
                    timestamp,
                    anonymousId: anonymousId(),
                    userId: get(USER),
                    ...fields,
                    context: {
                        page,
                        ...browser(),
                        ...(options.cookieless ? { campaign: landing } : session(landing)),
                        consent: options.consent && state,
                        gpc: privacyControl() || undefined,
                    },
                }),
            );
        state == 'granted' ? add() : state == 'pending' && held.push(add);
    };

    const page = (name?: string, properties?: Properties) => {
        if (location.href != address) {
            referrer = address;
            address = location.href;
        }
        send('page', { name, properties: { ...pageOf(referrer), ...properties } });
    };

    const consent = (next: Consent) => {
        state = next;
        if (next == 'denied') {
            held = [];
            transport.clear();
            forgetQueues();
            [ANONYMOUS, USER, SESSION].map((name) => {
                write(name, '', options.domain);
                delete memory[name];
            });
        }
        if (mayKeep()) {
            Object.keys(memory).map((name) => write(name, memory[name], options.domain));
            transport.adopt();
        }
        if (next == 'granted') {
            held.map((add) => add());
            held = [];
        }
    };

    const tracker: Tracker = {
        track: (event, properties) => send('track', { event, properties }),
        page,
        identify(userId, traits) {
            put(USER, userId);
            send('identify', { traits });
        },
        group: (groupId, traits) => send('group', { groupId, traits }),
        alias: (userId, previousId) => send('alias', { userId, previousId: previousId || get(USER) || anonymousId() }),
        reset() {
            [ANONYMOUS, USER, SESSION].map((name) => put(name, ''));
        },
        consent,
        flush: transport.flush,
        anonymousId,
    };

    consent(options.consent || 'granted');
    watchEnd(transport.leave);
    addEventListener('online', transport.flush);
    options.clicks == false || watchClicks(tracker.track);
    options.pages == false || watchPages(page);
    return tracker;
};
