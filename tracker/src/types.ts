// What a page sees of the tracker: its options, its methods, and the events it sends.

export type Properties = Record<string, unknown>;

/**
 * `granted`: events are sent and the visitor is recognised (the default).
 * `pending`: events wait in memory; nothing is stored, nothing is sent.
 * `denied`: everything stored is wiped, what waits is thrown away, nothing is sent.
 */
export type Consent = 'granted' | 'pending' | 'denied';

export interface Options {
    /** The source's write key, as the collector knows it. */
    key: string;
    /** Where the collector is: `https://c.example.com`. The script tag takes it from its own address. */
    host: string;
    /** The cookies' domain, such as `example.com`, when several subdomains are one site; default: this host alone. */
    domain?: string;
    /** The consent to begin with; default `granted`. */
    consent?: Consent;
    /** Nothing is kept in the browser and no id is sent: the collector derives one that lasts a day. */
    cookieless?: boolean;
    /** false: no page views by themselves, neither at the start nor when a single-page application changes its route. */
    pages?: boolean;
    /** false: elements with `data-evs-event` are not listened to. */
    clicks?: boolean;
}

export interface Tracker {
    /** Something happened: `track('Product Added', {sku: 'lamp', price: 59.9})`. */
    track(event: string, properties?: Properties): void;
    /** A page was seen. Without arguments the page as it is now; pages are told by themselves unless switched off. */
    page(name?: string, properties?: Properties): void;
    /** The visitor is this person from now on. */
    identify(userId: string, traits?: Properties): void;
    /** The visitor belongs to this company, team, household. */
    group(groupId: string, traits?: Properties): void;
    /** Two ids are one person; without the second, what the visitor was until now. */
    alias(userId: string, previousId?: string): void;
    /** The visitor signed out: a new anonymous person with a new session. */
    reset(): void;
    /** What the visitor has agreed to. The page keeps the answer and says it on each page. */
    consent(state: Consent): void;
    /** Sends at once what waits. */
    flush(): void;
    /** The id of the visitor, as far as there is one: `undefined` without cookies or consent. */
    anonymousId(): string | undefined;
}

/** A call that was made before the script was there: `evs.push(['track', 'Product Added', {…}])`. */
export type Call = { [M in keyof Tracker]: [M, ...Parameters<Tracker[M]>] }[keyof Tracker];

/** What `window.evs` is: an array of calls before the script has loaded, afterwards the tracker, with the same `push`. */
export type Evs = Tracker & { push(...calls: Call[]): void };

declare global {
    interface Window {
        evs?: Evs | Call[];
    }
}
