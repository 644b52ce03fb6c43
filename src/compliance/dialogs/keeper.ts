import { type JobSink, submitMessages } from "../../outbound/index.ts";
import {
  type Clock,
  createTurns,
  type Database,
  inBatches,
  isUnavailable,
  type Logger,
  systemClock,
  type Transaction,
  warnUnlessAway,
} from "../../platform/index.ts";
import { show } from "./advance.ts";
import type { Dialog } from "./dialog.ts";
import { holdDue, writeDialogs } from "./dialog-rows.ts";
import { giveReviews } from "./give-reviews.ts";
import { findReviewPlaces, placeKey, workspacesToReview } from "./reviewers.ts";
import { messageOf, type Said, sayIn } from "./said.ts";
import { remind, step } from "./step.ts";
import { findToTell, tellStanding } from "./tell-standing.ts";

/** Dialogs of one transaction. */
const BATCH = 200;
/** In one turn; what is left is due at the next. */
const MAX_BATCHES = 50;
/** Pieces of evidence that chats are told of in one turn, each in a transaction of its own. */
const MAX_TOLD = 500;
/** Workspaces looked at in one turn for reviewers who have room; the others in the turns that follow. */
const MAX_WORKSPACES = 100;
/** Chats that are given reviews in one turn, each in a transaction of its own. */
const MAX_GIVEN = 500;

/**
 * The service that does with dialogs what nobody presses: reminders, ends, news of evidence, and reviews
 * for those who have room.
 */
export interface DialogKeeper {
  start(): void;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
  /** Does what is due now. Throws the database's errors. */
  runOnce(): Promise<void>;
}

export interface DialogKeeperOptions {
  db: Database;
  jobs: JobSink;
  log: Logger;
  clock?: Clock;
  /** Default 2 000: so long a reviewer waits for the card. */
  everyMs?: number;
}

export function createDialogKeeper({
  db,
  jobs,
  log,
  clock = systemClock,
  everyMs = 2_000,
}: DialogKeeperOptions): DialogKeeper {
  const say = async (tx: Transaction, said: readonly Said[]): Promise<void> => {
    await submitMessages(tx, jobs, said.map(messageOf));
  };

  /** Answers how many dialogs there were. */
  const treat = (to: "expire" | "remind", one: (dialog: Dialog) => Treated | null) =>
    db.transaction(async (tx) => {
      const due = await holdDue(tx, { to, nowMs: clock(), limit: BATCH });
      const treated = due.flatMap((dialog) => one(dialog) ?? []);
      await writeDialogs(
        tx,
        treated.map(({ dialog }) => dialog),
      );
      await say(
        tx,
        treated.flatMap(({ said }) => said),
      );
      return due.length;
    });

  const all = (batch: () => Promise<number>) =>
    inBatches(batch, { size: BATCH, most: MAX_BATCHES, isStopping: () => turns.isStopping });

  /** The workspace that was told last: with more of them than a batch has room for, others are next. */
  let told: string | undefined;

  /** Answers the workspaces that had news. */
  async function tellAll(): Promise<Set<string>> {
    const failed: string[] = [];
    const workspaces = new Set<string>();
    for (let done = 0; done < MAX_TOLD; ) {
      const keys = await findToTell(db, BATCH, { after: told, except: failed });
      if (keys.length === 0) break;
      for (const key of keys) {
        if (turns.isStopping) return workspaces;
        workspaces.add(key.workspaceId);
        told = key.workspaceId;
        // One that cannot be told keeps no other from it.
        await db
          .transaction(async (tx) => say(tx, await tellStanding(tx, key, clock())))
          .catch((error) => {
            if (isUnavailable(error)) throw error;
            failed.push(key.evidenceId);
            log.warn({ err: error, ...key }, "chats are not told how evidence stands");
          });
      }
      done += keys.length;
    }
    return workspaces;
  }

  /** Where the next turn goes on; null: from the first. */
  let lookedAt: string | null = null;

  /** To those of `first`, and of some others: for news there is no need that their turn comes. */
  async function giveAll(first: ReadonlySet<string>): Promise<void> {
    const next = await workspacesToReview(db, lookedAt, MAX_WORKSPACES);
    lookedAt = next.length < MAX_WORKSPACES ? null : (next.at(-1) ?? null);
    const workspaces = [...new Set([...first, ...next])];
    if (workspaces.length === 0) return;
    const except: string[] = [];
    for (let found = BATCH; found === BATCH && except.length < MAX_GIVEN; ) {
      const places = await findReviewPlaces(db, { workspaces, except, limit: BATCH });
      found = places.length;
      for (const place of places) {
        if (turns.isStopping) return;
        except.push(placeKey(place));
        await db
          .transaction(async (tx) => say(tx, await giveReviews(tx, place, clock())))
          .catch((error) => {
            if (isUnavailable(error)) throw error;
            const { workspaceId, connectorId } = place;
            const fields = { err: error, workspaceId, connectorId };
            log.warn(fields, "a chat is not given what waits for its review");
          });
      }
    }
  }

  async function runOnce(): Promise<void> {
    const changed = await tellAll();
    await all(() => treat("expire", (dialog) => expire(dialog, clock())));
    await all(() => treat("remind", remindOf));
    await giveAll(changed);
  }

  const turns = createTurns({
    db,
    name: "dialogs",
    everyMs,
    work: runOnce,
    failed: warnUnlessAway(log, "dialogs that are due are not gone on with now"),
  });
  return { runOnce, start: turns.start, stop: turns.stop };
}

interface Treated {
  dialog: Dialog;
  said: Said[];
}

function expire(before: Dialog, nowMs: number): Treated {
  const { dialog } = step(before, { type: "time-over" }, { nowMs, userId: "0" });
  return show(before, dialog);
}

function remindOf(before: Dialog): Treated | null {
  const reminded = remind(before);
  if (reminded === null) return null;
  const { dialog, text } = reminded;
  return { dialog, said: [sayIn(dialog, text)] };
}
