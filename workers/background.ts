import { idempotencyRetention } from "../src/api/index.ts";
import { createApprovalKeeper } from "../src/approvals/index.ts";
import { broadcastRetentionRules, createBroadcastFeeder } from "../src/broadcasts/index.ts";
import { createDialogKeeper, dropDialogs } from "../src/compliance/index.ts";
import { createSessionCloser, createSnoozeKeeper } from "../src/conversations/index.ts";
import { createEvidenceExpiry, evidenceRetention } from "../src/evidence/index.ts";
import {
  createLedgerKeeper,
  DEFAULT_JOB_RETENTION,
  type JobRetention,
  jobRetentionRules,
} from "../src/jobs/index.ts";
import { createExpiryKeeper, outboundRetentionRules } from "../src/outbound/index.ts";
import { dropRefusals } from "../src/people/index.ts";
import { createRetention, failureCountRetention } from "../src/platform/index.ts";
import { reportUnreadable } from "./sealed-records.ts";
import type { System } from "./system.ts";

/** What every process does beside its own work; the database decides whose turn it is. */
export function startBackground(system: System): { stop(): Promise<void> } {
  const { db, log, config, jobs } = system;
  const times = timesOf(config.retention);
  const retention = createRetention({
    db,
    log,
    rules: [
      ...jobRetentionRules(times),
      ...outboundRetentionRules(times),
      ...broadcastRetentionRules,
      idempotencyRetention,
      failureCountRetention,
      dropRefusals,
      dropDialogs,
      evidenceRetention,
    ],
  });
  const ledgerKeeper = createLedgerKeeper({ db, log });
  const snoozes = createSnoozeKeeper({ db, log });
  const sessions = createSessionCloser({ db, log });
  const approvals = createApprovalKeeper({ db, jobs, log });
  const expiry = createExpiryKeeper({ db, jobs, log });
  const broadcasts = createBroadcastFeeder({ db, jobs, log });
  const evidence = createEvidenceExpiry({ db, log });
  const dialogs = createDialogKeeper({ db, jobs, log });
  retention.start();
  ledgerKeeper.start();
  snoozes.start();
  sessions.start();
  approvals.start();
  expiry.start();
  broadcasts.start();
  evidence.start();
  dialogs.start();
  const reported = reportUnreadable(system);
  const keepers = [snoozes, sessions, approvals, expiry, broadcasts, evidence, dialogs];
  const services = [retention, ledgerKeeper, ...keepers];
  return {
    stop: async () => {
      await Promise.all([...services.map((service) => service.stop()), reported]);
    },
  };
}

function timesOf(settings: Partial<JobRetention> = {}): JobRetention {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_JOB_RETENTION, ...Object.fromEntries(given) };
}
