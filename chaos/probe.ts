import type { Telegram } from "./telegram.ts";

const EVERY_MS = 500;
const LOOK_EVERY_MS = 250;
/** Answered this fast, the installation counts as normal. */
const NORMAL_WITHIN_MS = 1_000;
/** So many in a row. */
const NORMAL_PROBES = 3;

interface Probe {
  sentAtMs: number;
  answeredAtMs?: number;
}

/**
 * Somebody new writes a command twice a second, and looks how long the answer takes: somebody new,
 * because Telegram itself waits before it tries again where a chat's update was refused.
 */
export class Prober {
  private readonly telegram: Telegram;
  private readonly botId: number;
  private readonly byChat = new Map<number, Probe>();
  private stopping = false;
  private readonly running: Promise<unknown>;

  constructor(telegram: Telegram, botId: number) {
    this.telegram = telegram;
    this.botId = botId;
    this.running = Promise.all([this.write(), this.look()]);
  }

  /** Ms from `sinceMs` to the first command whose answer, and those of the next ones, came fast; null so far. */
  normalAfterMs(sinceMs: number): number | null {
    const probes = [...this.byChat.values()].filter((probe) => probe.sentAtMs >= sinceMs);
    const isFast = (probe: Probe) =>
      probe.answeredAtMs !== undefined && probe.answeredAtMs - probe.sentAtMs <= NORMAL_WITHIN_MS;
    for (const [n, probe] of probes.entries()) {
      const some = probes.slice(n, n + NORMAL_PROBES);
      if (some.length === NORMAL_PROBES && some.every(isFast)) return probe.sentAtMs - sinceMs;
    }
    return null;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.running;
  }

  private async write(): Promise<void> {
    for (let n = 1; !this.stopping; n++) {
      const { id } = await this.telegram.createUser(`Probe ${n}`);
      this.byChat.set(id, { sentAtMs: Date.now() });
      await this.telegram.say(id, { chatId: id, botId: this.botId }, "/start");
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }

  private async look(): Promise<void> {
    let after = 0;
    while (!this.stopping) {
      const { entries, next } = await this.telegram.record(after, ["call"]);
      after = next;
      for (const entry of entries) {
        if (entry.kind !== "call" || !entry.tookEffect || entry.botId !== this.botId) continue;
        const probe = this.byChat.get(Number(entry.params.chat_id));
        if (probe !== undefined) probe.answeredAtMs ??= entry.at;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }
}
