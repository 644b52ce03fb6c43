import { randomUUID } from "node:crypto";
import type { BotApis } from "../connectors/index.ts";
import type { Database, Logger, Metrics } from "../platform/index.ts";
import type { Intake } from "../receiver/index.ts";
import { BotPoll, type BotPollOptions } from "./bot-poll.ts";
import {
  lookAtBots,
  type PollLease,
  releaseBots,
  renewBots,
  type TakenBot,
  takeBots,
} from "./poll-lease.ts";
import { Slots } from "./slots.ts";

export interface PollerOptions {
  db: Database;
  botApis: BotApis;
  intake: Intake;
  connectors: BotPollOptions["connectors"];
  metrics: Metrics;
  log: Logger;
  /** Bots this process asks for at most; each has a connection of its own. Default 500. */
  maxBots?: number;
  /** Batches of updates in hand at once, all bots together. Default 16. */
  slots?: number;
  /** How long a lease lasts without being renewed. Default 8 000. */
  leaseMs?: number;
  /** How often to look which bots are (still) this process's. Default 1 000. */
  tickMs?: number;
  /** How long Telegram may wait for an update, in s. Default 25. */
  waitS?: number;
}

/** Asks for the updates of the bots whose lease this process holds. */
export interface Poller {
  /** Bots in this process's hands. */
  readonly bots: number;
  /**
   * No new requests; what is in hand is committed and confirmed, and the bots are handed back. What
   * is not done by then is left to whoever takes them next.
   */
  stop(graceMs?: number): Promise<void>;
}

export const MAX_BOTS = 500;
const SLOTS = 16;
const LEASE_MS = 8_000;
const TICK_MS = 1_000;
const WAIT_S = 25;
const GRACE_MS = 3_000;
const RELEASE_WITHIN_MS = 1_000;
/** Taken at one look: several processes that start together each get a share. */
const TAKEN_AT_ONCE = 50;

interface Held {
  lease: PollLease;
  poll: BotPoll;
  controller: AbortController;
  /** When the lease was last known to be good, by the monotonic clock, in ms. */
  renewedAtMs: number;
  ended: Promise<void>;
}

/**
 * Starts asking. Every process that runs one takes bots that nobody holds, and looks every second
 * which of its own were removed, disabled or taken over; one that dies is made up for when its
 * leases have run out.
 */
export function startPoller(options: PollerOptions): Poller {
  const { db, log, metrics } = options;
  const { leaseMs = LEASE_MS, tickMs = TICK_MS, maxBots = MAX_BOTS } = options;
  const owner = randomUUID();
  const held = new Map<string, Held>();
  let stopping = false;
  let timer: NodeJS.Timeout | undefined;
  let ticking: Promise<void> = Promise.resolve();

  const polls = metrics.counter({
    name: "heliograph_polls_total",
    help: "Requests for a bot's updates, by what became of them.",
    labels: ["outcome"],
  });
  const updates = metrics.counter({
    name: "heliograph_polled_updates_total",
    help: "Updates that were asked for, by what became of them.",
    labels: ["result"],
  });
  metrics.gauge({
    name: "heliograph_bots_polled",
    help: "Bots this process asks for updates of.",
    collect: (gauge) => gauge.set(held.size),
  });
  const pollOptions: BotPollOptions = {
    ...options,
    slots: new Slots(options.slots ?? SLOTS),
    waitS: options.waitS ?? WAIT_S,
    observe: {
      polled: (outcome) => polls.inc({ outcome }),
      took: (result) => updates.inc({ result }),
    },
  };

  function begin(bot: TakenBot, takenAtMs: number): void {
    const { lease } = bot;
    const { connectorId } = lease;
    const controller = new AbortController();
    const poll = new BotPoll(bot, controller.signal, pollOptions);
    const ended = poll
      .run()
      .catch((error) => log.error({ err: error, connectorId }, "asking for updates has failed"))
      .then(async () => {
        // At the end of the process all are handed back together, once they are confirmed.
        if (stopping) return;
        await releaseBots(db, [lease]).catch(() => {});
        held.delete(connectorId);
      });
    held.set(connectorId, { lease, poll, controller, renewedAtMs: takenAtMs, ended });
  }

  /** Ends what is not to go on; renews what is. */
  async function lookAfter(): Promise<void> {
    const all = [...held.values()];
    const askedAtMs = performance.now();
    const found = await lookAtBots(
      db,
      all.map(({ lease }) => lease),
    );
    const mine: Held[] = [];
    for (const one of all) {
      const state = found.get(one.lease.connectorId);
      if (state === undefined) {
        one.controller.abort();
        continue;
      }
      if (state.hasWebhook) one.poll.noteWebhook();
      if (askedAtMs - one.renewedAtMs >= leaseMs / 3) mine.push(one);
    }
    const leases = mine.map(({ lease }) => lease);
    const renewed = await renewBots(db, leases, leaseMs);
    for (const one of mine) {
      if (renewed.has(one.lease.connectorId)) one.renewedAtMs = askedAtMs;
    }
  }

  async function takeMore(): Promise<void> {
    const limit = Math.min(TAKEN_AT_ONCE, maxBots - held.size);
    if (limit <= 0 || stopping) return;
    const askedAtMs = performance.now();
    const taken = await takeBots(db, { owner, leaseMs, limit, except: [...held.keys()] });
    if (!stopping) for (const bot of taken) begin(bot, askedAtMs);
    else
      await releaseBots(
        db,
        taken.map(({ lease }) => lease),
      );
  }

  async function tick(): Promise<void> {
    try {
      await lookAfter();
      await takeMore();
    } catch (error) {
      log.warn({ err: error }, "leases of bots could not be looked after");
    }
  }

  /** By a timer of its own: a database that hangs holds the looks up, and somebody else's does not. */
  function endWhatRanOut(): void {
    for (const { controller, renewedAtMs } of held.values()) {
      if (performance.now() - renewedAtMs > leaseMs) controller.abort();
    }
  }

  function schedule(delayMs: number): void {
    timer = setTimeout(() => {
      ticking = tick().finally(() => {
        if (!stopping) schedule(tickMs * (0.75 + Math.random() / 2));
      });
    }, delayMs);
  }

  async function handBack(): Promise<void> {
    await ticking;
    await Promise.all(
      [...held.values()].map(async ({ ended, poll }) => {
        await ended;
        await poll.confirm();
      }),
    );
  }

  schedule(0);
  const fence = setInterval(endWhatRanOut, tickMs);
  return {
    get bots() {
      return held.size;
    },
    stop: async (graceMs = GRACE_MS) => {
      stopping = true;
      clearTimeout(timer);
      clearInterval(fence);
      for (const { controller } of held.values()) controller.abort();
      await within(graceMs, handBack());
      const leases = [...held.values()].map(({ lease }) => lease);
      const released = releaseBots(db, leases).catch((error) =>
        log.debug({ err: error }, "leases of bots run out by themselves"),
      );
      await within(RELEASE_WITHIN_MS, released);
    },
  };
}

/** Waits for `work`, but no longer than `ms`. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
