import type { CallEntry, RecordView } from "../sandbox/index.ts";

/** What a bot's calls that send came to, by the sandbox's own record. */
export interface Sends {
  /** When each message was taken, in ms since the epoch, rising. */
  sentAtMs: number[];
  calls: number;
  limited: number;
  /** Calls that left although the 429 that began the hold had arrived. */
  broke: number;
}

/**
 * A call in flight when a hold begins breaks nothing: what comes in later than this after the 429
 * does.
 */
const IN_FLIGHT_MS = 25;

/** Reads a sandbox's record on and on: its whole is long. */
export class SendRecord {
  private readonly record: RecordView;
  private readonly byBot = new Map<number, CallEntry[]>();
  private seen = 0;

  constructor(record: RecordView) {
    this.record = record;
  }

  /** The bot's calls of `sendMessage` so far. */
  callsOf(botId: number): readonly CallEntry[] {
    for (const entry of this.record.after(this.seen)) {
      this.seen = entry.seq;
      if (entry.kind !== "call" || entry.method !== "sendMessage") continue;
      const calls = this.byBot.get(entry.botId ?? 0);
      if (calls === undefined) this.byBot.set(entry.botId ?? 0, [entry]);
      else calls.push(entry);
    }
    return this.byBot.get(botId) ?? [];
  }

  /** What they came to between two times. */
  sendsOf(botId: number, [fromMs, toMs]: [number, number] = [0, Number.POSITIVE_INFINITY]): Sends {
    let heldSinceMs = Number.NEGATIVE_INFINITY;
    const sends: Sends = { sentAtMs: [], calls: 0, limited: 0, broke: 0 };
    for (const call of this.callsOf(botId)) {
      if (call.status === 429 && !call.violation) heldSinceMs = call.at;
      if (call.at < fromMs || call.at >= toMs) continue;
      sends.calls++;
      if (call.status === 429) sends.limited++;
      if (call.violation && call.at > heldSinceMs + IN_FLIGHT_MS) sends.broke++;
      if (call.tookEffect) sends.sentAtMs.push(call.at);
    }
    return sends;
  }
}

/** Messages a second from the first to the last. */
export function perSecond({ sentAtMs }: Pick<Sends, "sentAtMs">): number {
  const seconds = ((sentAtMs.at(-1) ?? 0) - (sentAtMs[0] ?? 0)) / 1_000;
  return seconds <= 0 ? 0 : (sentAtMs.length - 1) / seconds;
}
