import {
  createEvidence,
  decide,
  describe,
  type JobSink,
  type NewFile,
  setControl,
  submitForReview,
  takeFiles,
} from "../../evidence/index.ts";
import type { JobId } from "../../jobs/index.ts";
import type { Clock, Language, Transaction } from "../../platform/index.ts";
import { acceptRisk, changeEntry, EntryRefused, findEntry } from "../../register/index.ts";
import type { Dialog } from "./dialog.ts";
import { findControls, findRequest, holdControl } from "./find-controls.ts";
import type { Assessment, DialogEffect, DialogEvent } from "./machine.ts";
import { readStanding } from "./standing.ts";

/** Who caused an event, and with what. */
export interface Acting {
  /** As rows name them: `person:<id>` or `telegram:<id>`. */
  by: string;
  personId: string | null;
  /** Telegram's id. */
  userId: string;
  /** That they are spoken to in. */
  language: Language;
  nowMs: number;
  causeId: JobId;
  /** The file of the event; absent: it brought none. */
  file?: NewFile;
}

/** What an effect needs beside the transaction. */
export interface Doing {
  jobs: JobSink;
  clock: Clock;
}

/** Does what a step decided; answers what it came to, where that matters to the dialog. */
export async function apply(
  tx: Transaction,
  { jobs }: Pick<Doing, "jobs">,
  dialog: Dialog,
  effect: DialogEffect,
  acting: Acting,
): Promise<DialogEvent | null> {
  const { workspaceId, evidenceId } = dialog;
  const { by, personId } = acting;
  switch (effect.type) {
    case "answer":
    case "say":
      return null;
    case "create-evidence": {
      const { evidenceType: type, description } = effect;
      const made = { workspaceId, type, description, status: "draft", createdBy: by } as const;
      return { type: "evidence-created", ...(await createEvidence(tx, made)) };
    }
    case "find-request": {
      const { id } = effect;
      const request = await findRequest(tx, { workspaceId, personId, id });
      return request === null ? { type: "request-gone", id } : { type: "request-found", request };
    }
    case "find-controls": {
      const { query, page } = effect;
      const found = await findControls(tx, { workspaceId, personId, query, page });
      return { type: "controls-found", query, ...found };
    }
    case "assess":
      return assess(tx, dialog, effect.assessment, by);
    default:
      if (evidenceId === null) throw new Error(`${effect.type} needs evidence, and there is none`);
      return onEvidence(tx, { jobs }, { workspaceId, evidenceId }, effect, acting);
  }
}

async function onEvidence(
  tx: Transaction,
  { jobs }: Pick<Doing, "jobs">,
  key: { workspaceId: string; evidenceId: string },
  effect: Extract<
    DialogEffect,
    { type: "take-file" | "describe" | "set-control" | "submit" | "decide" }
  >,
  { by, file, causeId }: Acting,
): Promise<DialogEvent | null> {
  switch (effect.type) {
    case "take-file":
      if (file === undefined) throw new Error("a file is taken, and the event brought none");
      await takeFiles(tx, jobs, { ...key, submittedBy: by, files: [file], causeId });
      return null;
    case "describe": {
      const { description } = effect;
      const isTaken = await describe(tx, { ...key, description });
      return isTaken ? { type: "description-set", description } : settled(tx, key);
    }
    case "set-control": {
      const { controlId } = effect;
      if (!(await holdControl(tx, key.workspaceId, controlId))) return { type: "control-gone" };
      const isTaken = await setControl(tx, { ...key, controlId });
      return isTaken ? { type: "control-set", id: controlId } : settled(tx, key);
    }
    case "submit": {
      const submitted = await submitForReview(tx, { ...key, by });
      if (!("refused" in submitted)) return { type: "submitted" };
      return { type: "not-submitted", why: submitted.refused };
    }
    case "decide": {
      const { decision, revision, reason } = effect;
      const why = reason === null ? {} : { reason };
      const decided = await decide(tx, { ...key, revision, decision, by, ...why });
      if ("refused" in decided) return { type: "not-decided", why: decided.refused };
      const standing = await readStanding(tx, key);
      return standing === null ? null : { type: "decided", standing };
    }
  }
}

/** It was submitted or decided elsewhere while this went on; null: it is gone, and the dialog with it. */
async function settled(
  tx: Transaction,
  key: { workspaceId: string; evidenceId: string },
): Promise<DialogEvent | null> {
  const standing = await readStanding(tx, key);
  return standing === null ? null : { type: "standing-changed", standing };
}

/** Saved as it was looked at, or not at all. */
async function assess(
  tx: Transaction,
  { workspaceId, riskId }: Dialog,
  { version, inherent, residual, treatment, reason }: Assessment,
  by: string,
): Promise<DialogEvent | null> {
  if (riskId === null) throw new Error("an assessment is of no risk");
  const key = { workspaceId, kind: "risk", id: riskId } as const;
  try {
    const changed = await changeEntry(tx, key, {
      version,
      inherentLikelihood: inherent.likelihood,
      inherentImpact: inherent.impact,
      residualLikelihood: residual?.likelihood ?? null,
      residualImpact: residual?.impact ?? null,
      treatment,
    });
    if (changed === null) return null;
  } catch (error) {
    if (!(error instanceof EntryRefused) || error.reason !== "stale") throw error;
    const entry = await findEntry(tx, key);
    return entry === null ? null : { type: "not-assessed", version: entry.version };
  }
  if (reason !== null) await acceptRisk(tx, { workspaceId, riskId, by, reason });
  return { type: "assessed" };
}
