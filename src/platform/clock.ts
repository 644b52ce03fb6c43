/** Milliseconds since the epoch. Passed in wherever a rule depends on time, so tests can set it. */
export type Clock = () => number;

export const systemClock: Clock = () => Date.now();
