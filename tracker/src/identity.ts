// Who visits, and in which session.
//
// A session ends after 30 minutes without an event. Its record is one short JSON text, with the campaign it came by, so
// that each event tells which visit it belongs to and what brought the visitor, also on the tenth page.

export const SESSION_MS = 1800000;

export interface Session {
    id: string;
    /** When its last event was, in milliseconds. */
    last: number;
    /** The visitor's how-manieth session this is. */
    number: number;
    campaign?: Record<string, string>;
}

/** 32 random hexadecimal digits. (`crypto.randomUUID` is there on https only.) */
export const newId = () =>
    [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => (byte + 256).toString(16).slice(1)).join('');

/** The session at `now`, given the stored text of the last one, and whether it has just begun. */
export const sessionAt = (now: number, stored?: string): [Session, boolean] => {
    let last: Session | undefined;
    try {
        last = stored && JSON.parse(stored);
    } catch {}
    return last && now - last.last < SESSION_MS
        ? [{ ...last, last: now }, false]
        : [{ id: newId(), last: now, number: ((last && last.number) || 0) + 1 }, true];
};
