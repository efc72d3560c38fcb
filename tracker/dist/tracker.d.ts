import type { Options, Tracker } from './types.ts';
export type * from './types.ts';
export declare const createTracker: (options: Options) => Tracker;
