/**
 * Sessions: for how long a person's messages belong together. `hours` is the connector's setting: −1,
 * there are none; 0, one that never ends by itself; n, it ends n hours after the person's last message,
 * at that very moment, whoever notices and however late. So a message exactly n hours after the last
 * one begins another session. Judged by the setting as it is when a message, or the clock, comes by.
 *
 * Pure: times are passed in. A message's is Telegram's date of it, when the person wrote; an outage of
 * ours neither ends a session nor keeps it up. Since messages may be late, one that was written before
 * a session's recorded end shows that it went on: what is recorded in the end is the same whether the
 * clock came by in between or not.
 */

/** A conversation's newest session. */
export interface SessionState {
  /** Of the person's newest message in it. */
  lastAtMs: number;
  /** Null: it is not over, as far as anybody noticed. */
  endedAtMs: number | null;
}

/** `switched_off`: the connector has no sessions any more. */
export type EndReason = "timeout" | "switched_off";

export interface SessionEnd {
  lastAtMs: number;
  endedAtMs: number;
  reason: EndReason;
}

/** What a message does to its conversation's sessions, in this order. */
export interface SessionStep {
  /** The newest session had been ended too early. */
  resumes: boolean;
  /** The newest session is over. */
  ended: SessionEnd | null;
  /** Another one begins, at this time. */
  beginsAtMs: number | null;
  /** The newest session afterwards. */
  state: SessionState;
  /** The setting by which this was decided. */
  hours: number;
}

const HOUR_MS = 3_600_000;

/** When a session is over if nothing more is said in it; null: never by itself. */
export function timeoutOf(lastAtMs: number, hours: number): number | null {
  return hours > 0 ? lastAtMs + hours * HOUR_MS : null;
}

/** A message of the person, written at `atMs`; null where it changes nothing. `state` null: the first. */
export function onMessage(
  state: SessionState | null,
  atMs: number,
  hours: number,
): SessionStep | null {
  const none = { resumes: false, ended: null, beginsAtMs: null, hours };
  if (hours < 0) {
    if (state === null || state.endedAtMs !== null) return null;
    const ended = endOf(state, Math.max(atMs, state.lastAtMs), "switched_off");
    return { ...none, ended, state: { ...state, endedAtMs: ended.endedAtMs } };
  }
  const begins = { ...none, beginsAtMs: atMs, state: { lastAtMs: atMs, endedAtMs: null } };
  if (state === null) return begins;
  const goesOn = { lastAtMs: Math.max(state.lastAtMs, atMs), endedAtMs: null };
  if (state.endedAtMs !== null) {
    return atMs < state.endedAtMs ? { ...none, resumes: true, state: goesOn } : begins;
  }
  const timeoutMs = timeoutOf(state.lastAtMs, hours);
  if (timeoutMs === null || atMs < timeoutMs) return { ...none, state: goesOn };
  return { ...begins, ended: endOf(state, timeoutMs, "timeout") };
}

/** The clock comes by, at `nowMs`, and looks at a session that is not over; null: it goes on. */
export function onClock(state: SessionState, nowMs: number, hours: number): SessionEnd | null {
  if (hours < 0) return endOf(state, Math.max(nowMs, state.lastAtMs), "switched_off");
  const timeoutMs = timeoutOf(state.lastAtMs, hours);
  return timeoutMs !== null && timeoutMs <= nowMs ? endOf(state, timeoutMs, "timeout") : null;
}

const endOf = ({ lastAtMs }: SessionState, endedAtMs: number, reason: EndReason): SessionEnd => ({
  lastAtMs,
  endedAtMs,
  reason,
});

/** What a batch of messages does to the sessions of one conversation. */
export interface SessionMove {
  /** The session that was the newest before the batch. */
  resumes: boolean;
  ended: SessionEnd | null;
  begun: Array<{ startedAtMs: number; ended: SessionEnd | null }>;
  state: SessionState;
  hours: number;
}

/** Sums steps up; each begins where the one before has led. */
export function withStep(move: SessionMove | null, step: SessionStep): SessionMove {
  const { state, hours } = step;
  const before = move ?? { resumes: false, ended: null, begun: [] };
  const begun = [...before.begun];
  const newest = begun.pop();
  const next: SessionMove = {
    resumes: before.resumes || (newest === undefined && step.resumes),
    ended:
      newest === undefined ? (step.ended ?? (step.resumes ? null : before.ended)) : before.ended,
    begun,
    state,
    hours,
  };
  if (newest !== undefined) {
    begun.push({ ...newest, ended: step.ended ?? (step.resumes ? null : newest.ended) });
  }
  if (step.beginsAtMs !== null) begun.push({ startedAtMs: step.beginsAtMs, ended: null });
  return next;
}
