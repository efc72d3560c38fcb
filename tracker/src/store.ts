// What the browser keeps: a few ids in cookies with a copy in local storage, and unsent events in local storage.
//
// A browser may refuse either (private windows, blocked cookies), or throw at the mere look: everything here then does
// nothing, and the tracker goes on with what it has in memory.

const DAY_S = 86400;
const QUEUE = 'evs_q.'; // + the page's own id

const attempt = <T>(action: () => T): T | undefined => {
    try {
        return action();
    } catch {
        return undefined;
    }
};

const store = <T>(action: (storage: Storage) => T) => attempt(() => action(localStorage));

export const forget = (name: string) => store((storage) => storage.removeItem(name));

const cookie = (name: string, value: string, days: number, domain?: string) => {
    document.cookie =
        `${name}=${encodeURIComponent(value)};path=/;max-age=${days * DAY_S};samesite=lax` +
        (domain ? `;domain=${domain}` : '') +
        (location.protocol == 'https:' ? ';secure' : '');
};

/** A value by name: the cookie, which other subdomains see, else the copy, which lives longer in some browsers. */
export const read = (name: string): string | undefined =>
    attempt(() => {
        const found = document.cookie.match(`(?:^|; )${name}=([^;]*)`);
        return found && decodeURIComponent(found[1]);
    }) ||
    store((storage) => storage.getItem(name)) ||
    undefined;

/** Keeps a value for a year; an empty one is wiped from both places. */
export const write = (name: string, value: string, domain?: string) => {
    attempt(() => cookie(name, value, value ? 365 : 0, domain));
    value ? store((storage) => storage.setItem(name, value)) : forget(name);
};

// --- unsent events ---------------------------------------------------------------------------------------------------
//
// Each page writes under a name of its own, so that two tabs never overwrite each other's events. A page that opens adopts
// whatever it finds: events of a page that has gone, or of a tab that lives and has trouble sending, too. In the second
// case both send them, under the same messageId, by which the pipeline's `deduplicate` knows them; none is ever lost.

export const keepQueue = (page: string, queue: string[]) =>
    queue.length
        ? store((storage) => storage.setItem(QUEUE + page, JSON.stringify(queue)))
        : forget(QUEUE + page);

/** The events that other pages than `page` have left behind; `adopted` is called with them before their place is cleared. */
export const adoptQueues = (page: string, adopted: (queue: string[]) => void) =>
    store((storage) =>
        Object.keys(storage)
            .filter((name) => !name.indexOf(QUEUE) && name != QUEUE + page)
            .map((name) => {
                adopted(attempt(() => JSON.parse(storage.getItem(name)!)) || []);
                forget(name);
            }),
    );

export const forgetQueues = () => adoptQueues('', () => {});
