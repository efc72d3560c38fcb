// Numbers and times for people.

const plain = new Intl.NumberFormat('en-US');

export function count(value: number | null | undefined): string {
    return value === null || value === undefined || value < 0 ? '–' : plain.format(Math.round(value));
}

/** 0.4/s, 12/s, 3.4 k/s, 1.2 M/s */
export function rate(value: number): string {
    if (value >= 1e6) {
        return `${(value / 1e6).toFixed(1)} M/s`;
    }
    if (value >= 1e4) {
        return `${(value / 1e3).toFixed(1)} k/s`;
    }
    return value >= 10 || value === 0 ? `${plain.format(Math.round(value))}/s` : `${value.toFixed(1)}/s`;
}

export function bytes(value: number | null | undefined): string {
    if (value === null || value === undefined || value < 0) {
        return '–';
    }
    const units = ['B', 'kB', 'MB', 'GB', 'TB'];
    let unit = 0;
    for (; value >= 1000 && unit < units.length - 1; unit++) {
        value /= 1000;
    }
    return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** From µs; -1: unknown. */
export function duration(us: number | null | undefined): string {
    if (us === null || us === undefined || us < 0) {
        return '–';
    }
    const seconds = us / 1e6;
    if (seconds < 0.001) {
        return us === 0 ? '0 s' : `${Math.round(us)} µs`;
    }
    if (seconds < 1) {
        return `${Math.round(us / 1000)} ms`;
    }
    if (seconds < 120) {
        return `${seconds.toFixed(1)} s`;
    }
    if (seconds < 7200) {
        return `${Math.round(seconds / 60)} min`;
    }
    return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

/** 2026-01-05 10:20:00.5 UTC */
export function time(us: number | null | undefined): string {
    if (us === null || us === undefined) {
        return '–';
    }
    const moment = new Date(us / 1000);
    return Number.isNaN(moment.getTime()) ? '–' : moment.toISOString().replace('T', ' ').replace(/\.?0*Z$/, ' UTC');
}

/** The clock here, for what has just happened. */
export function clock(us: number): string {
    return new Date(us / 1000).toLocaleTimeString(undefined, { hour12: false });
}

export function percent(share: number): string {
    return `${Math.round(share * 100)} %`;
}

export function cell(value: unknown): string {
    return value === null || value === undefined ? '–' : typeof value === 'object' ? JSON.stringify(value) : String(value);
}
