/**
 * pack: evidence for somebody outside, who is to believe nobody: a zip file with the files, what is known
 * of each, the piece of the audit log that speaks of them, and the sums of it all. `scripts/verify-pack.mjs`
 * checks one without the system.
 */
import type { Readable } from "node:stream";
import { exportChain } from "../../audit/index.ts";
import type { Database, Keyring } from "../../platform/index.ts";
import { PACK_LIMITS, type PackLimits } from "./limits.ts";
import { type PackAsked, type PackPlan, planPack } from "./plan.ts";
import { writeZip } from "./write-zip.ts";

export { PACK_LIMITS, type PackFault, type PackLimits, PackRefused } from "./limits.ts";
export type { PackAsked, PackPlan } from "./plan.ts";

/** Reads a stored file's content: see vault.ts. */
export interface ContentReader {
  open(file: {
    workspaceId: string;
    storedFileId: string;
    from?: number;
    to?: number;
  }): Promise<{ sizeBytes: number; content: AsyncIterable<Uint8Array> }>;
}

export interface PacksOptions {
  db: Database;
  keyring: Keyring;
  vault: ContentReader;
  limits?: PackLimits;
  /** How long a plan waits where another is at the workspace's audit log, in ms. Default 5 000. */
  sealWithinMs?: number;
}

const SEAL_WITHIN_MS = 5_000;

export interface Packs {
  /** What a pack would hold. Throws `PackRefused`. */
  plan(workspaceId: string, asked: PackAsked): Promise<PackPlan>;
  /** A zip file; fails on the way where a content is not what was stored. */
  write(plan: PackPlan): Readable;
}

export function createPacks({
  db,
  keyring,
  vault,
  limits = PACK_LIMITS,
  sealWithinMs = SEAL_WITHIN_MS,
}: PacksOptions): Packs {
  const planner = { db, keyring, limits, sealWithinMs };
  return {
    plan: (workspaceId, asked) => planPack(planner, workspaceId, asked),
    write: (plan) => {
      const { workspaceId } = plan;
      return writeZip(plan, {
        read: async ({ storedFileId }) => (await vault.open({ workspaceId, storedFileId })).content,
        chain: (numbers) => exportChain(db, keyring, { workspaceId, numbers }),
      });
    },
  };
}
