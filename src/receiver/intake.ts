import type { SeenUpdates } from "../connectors/index.ts";
import type { Enqueued, NewJob } from "../jobs/index.ts";
import type { Database, Transaction } from "../platform/index.ts";
import { type Chat, type ChatLinks, linkKeyOf } from "./linked-chats.ts";
import type { RawUpdate } from "./raw-update.ts";
import { type RoutedUpdate, reducedForLinking, routeUpdate } from "./route-update.ts";

/** Whose an update is. */
export interface UpdateOwner {
  workspaceId: string;
  connectorId: string;
  /** The bot's; null: not known. */
  username: string | null;
}

/**
 * What became of an update. `duplicate`: it was stored before. `unlinked`: it is of a group that
 * nobody linked, so its number is all that is kept.
 */
export type Taken = "accepted" | "duplicate" | "unlinked";

/**
 * How an update gets in, whichever way it came: routed to its lane, not kept where its group is not
 * linked, committed under its own key, its number noted. What resolves may be forgotten by Telegram.
 */
export interface Intake {
  /** One update, committed together with whatever else comes in at the moment. */
  take(owner: UpdateOwner, update: RawUpdate): Promise<Taken>;
  /**
   * Updates of one bot, each lane's in the order given, all in one transaction (a group's migration
   * ends one: what follows it may be of the group's new id). `guard` runs first in each; when it
   * throws, nothing is stored. Waits for a locked lane no longer than a second, then throws.
   */
  takeInOrder(
    owner: UpdateOwner,
    updates: readonly RawUpdate[],
    guard: (tx: Transaction) => Promise<void>,
  ): Promise<Taken[]>;
}

export interface IntakeOptions {
  db: Database;
  links: ChatLinks<Transaction>;
  /** Told the number of every update that Telegram may forget. */
  seen: Pick<SeenUpdates, "note" | "record">;
  jobs: {
    enqueue(job: NewJob): Promise<Enqueued>;
    enqueueIn(tx: Transaction, jobs: NewJob[]): Promise<Enqueued[]>;
  };
}

/** A worker that was stopped with a lane's row locked is cut off after five seconds. */
const LOCK_TIMEOUT_MS = 1_000;

interface Routed {
  update: RawUpdate;
  routed: RoutedUpdate;
}

export function createIntake({ db, links, seen, jobs }: IntakeOptions): Intake {
  const route = (owner: UpdateOwner, update: RawUpdate): Routed => ({
    update,
    routed: routeUpdate(update.fields, owner.connectorId, owner.username),
  });

  /** The jobs of updates, in their order; null for those that are not kept. */
  async function jobsOf(owner: UpdateOwner, all: readonly Routed[]): Promise<(NewJob | null)[]> {
    const groups = new Map<string, Chat>();
    for (const { routed } of all) {
      if (routed.groupId !== null) groups.set(routed.groupId, chatOf(owner, routed.groupId));
    }
    const linked = groups.size === 0 ? undefined : await links.linked([...groups.values()]);
    return all.map((one) => {
      const { groupId } = one.routed;
      const isLinked = groupId === null || linked?.has(linkKeyOf(chatOf(owner, groupId))) === true;
      return jobOf(owner, one, isLinked);
    });
  }

  const move = (tx: Transaction, { workspaceId, connectorId }: UpdateOwner, one: Routed) =>
    one.routed.migration === null
      ? undefined
      : links.move(tx, { workspaceId, connectorId, ...one.routed.migration });

  async function enqueue(owner: UpdateOwner, one: Routed, job: NewJob): Promise<Taken> {
    if (one.routed.migration === null) return takenOf(await jobs.enqueue(job));
    // Rare, so in a transaction of its own: the link moves together with the insert.
    return db.transaction(async (tx) => {
      // Chats first, then the lane: the order in which ingest takes them.
      await move(tx, owner, one);
      const [result] = await jobs.enqueueIn(tx, [job]);
      return takenOf(result);
    });
  }

  /** What is not stored leaves its number and nothing else: without it a gap would be seen there. */
  async function note({ connectorId }: UpdateOwner, id: number, taken: Taken): Promise<void> {
    if (taken === "unlinked") await seen.record(connectorId, id);
    else seen.note(connectorId, id);
  }

  async function takeStretch(
    owner: UpdateOwner,
    stretch: readonly Routed[],
    guard: (tx: Transaction) => Promise<void>,
  ): Promise<Taken[]> {
    const toStore = await jobsOf(owner, stretch);
    const kept = toStore.filter((job) => job !== null);
    const stored = await db.transaction(
      async (tx) => {
        await guard(tx);
        for (const one of stretch) await move(tx, owner, one);
        return jobs.enqueueIn(tx, kept);
      },
      { lockTimeoutMs: LOCK_TIMEOUT_MS },
    );
    const results = stored.values();
    const taken = toStore.map((job) => (job === null ? "unlinked" : takenOf(results.next().value)));
    await Promise.all(
      stretch.map(({ update }, n) => note(owner, update.id, taken[n] ?? "unlinked")),
    );
    return taken;
  }

  return {
    take: async (owner, update) => {
      const one = route(owner, update);
      const [job] = await jobsOf(owner, [one]);
      const taken = job ? await enqueue(owner, one, job) : "unlinked";
      await note(owner, update.id, taken);
      return taken;
    },
    takeInOrder: async (owner, updates, guard) => {
      const taken: Taken[] = [];
      for (const stretch of stretchesOf(updates.map((update) => route(owner, update)))) {
        taken.push(...(await takeStretch(owner, stretch, guard)));
      }
      return taken;
    },
  };
}

const chatOf = ({ workspaceId, connectorId }: UpdateOwner, chatId: string): Chat => ({
  workspaceId,
  connectorId,
  chatId,
});

const takenOf = (result: Enqueued | undefined): Taken =>
  result?.duplicate ? "duplicate" : "accepted";

function jobOf(
  { workspaceId, connectorId }: UpdateOwner,
  { update, routed }: Routed,
  isLinked: boolean,
): NewJob | null {
  if (!isLinked && !routed.neededForLinking) return null;
  return {
    queue: "ingest",
    lane: routed.lane,
    workspaceId,
    kind: "update",
    urgent: routed.urgent,
    payload: { connectorId, updateId: update.id, updateKind: routed.kind },
    body: isLinked ? update.body : Buffer.from(JSON.stringify(reducedForLinking(update.fields))),
    uniqueKey: `${connectorId}/${update.id}`,
  };
}

/** Each ends with a migration, or is the last. */
function stretchesOf(all: readonly Routed[]): Routed[][] {
  const stretches: Routed[][] = [];
  let stretch: Routed[] = [];
  for (const one of all) {
    stretch.push(one);
    if (one.routed.migration === null) continue;
    stretches.push(stretch);
    stretch = [];
  }
  if (stretch.length > 0) stretches.push(stretch);
  return stretches;
}
