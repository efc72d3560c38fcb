// As much of a browser as the tracker's parts ask for, where a test needs no page: storage, cookies, beacons. What takes a
// real page is tested in Chromium by tests/browser.

export class FakeStorage {
    [name: string]: unknown;
    getItem(name: string) {
        return Object.hasOwn(this, name) ? (this[name] as string) : null;
    }
    setItem(name: string, value: string) {
        this[name] = String(value);
    }
    removeItem(name: string) {
        delete this[name];
    }
}

/** document.cookie: what is written is one cookie with attributes, what is read is all of them without. */
export class FakeCookies {
    jar = new Map<string, string>();
    written: string[] = [];
    get cookie() {
        return [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ');
    }
    set cookie(text: string) {
        this.written.push(text);
        const [, name, value] = /^(\w+)=([^;]*)/.exec(text)!;
        /max-age=0/.test(text) ? this.jar.delete(name) : this.jar.set(name, value);
    }
}

export interface World {
    storage: FakeStorage;
    cookies: FakeCookies;
    beacons: { url: string; body: string }[];
    beaconTakes: boolean;
    isOnline: boolean;
}

export function newWorld(): World {
    const world = {
        storage: new FakeStorage(),
        cookies: new FakeCookies(),
        beacons: [] as World['beacons'],
        beaconTakes: true,
        isOnline: true,
    };
    const navigator = {
        get onLine() {
            return world.isOnline;
        },
        sendBeacon(url: string, body: string) {
            world.beaconTakes && world.beacons.push({ url, body });
            return world.beaconTakes;
        },
    };
    const globals = { localStorage: world.storage, document: world.cookies, location: { protocol: 'http:' }, navigator };
    for (const [name, value] of Object.entries(globals)) {
        Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    }
    return world;
}
