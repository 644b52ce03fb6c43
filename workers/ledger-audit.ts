import { INSTALLATION, recordAudit } from "../src/audit/index.ts";
import type { LedgerAction, LedgerRecorder, WhichJobs } from "../src/jobs/index.ts";
import { groupBy } from "../src/platform/index.ts";

const ACTIONS = {
  retry: "jobs.retried",
  discard: "jobs.discarded",
  cancel: "jobs.cancelled",
  runNow: "jobs.run_now",
} as const satisfies Record<LedgerAction, string>;

/**
 * What was asked for. Lanes and error classes were met by jobs, since there is no entry without one;
 * the words of a search may be anything that somebody typed, and are not kept.
 */
const filterOf = (which: WhichJobs) => ({
  queue: which.queue,
  states: which.states,
  lane: which.lane,
  connectorId: which.connectorId,
  chatId: which.chatId,
  updateId: which.updateId,
  errorClass: which.errorClass,
  words: which.text === undefined ? undefined : "withheld",
  createdFrom: which.createdFrom?.toISOString(),
  createdTo: which.createdTo?.toISOString(),
});

/**
 * Changes of jobs and queues by hand, in the audit log: jobs in the log of each workspace that has
 * some among those of a batch, whoever asked; queues in the installation's, as they are everybody's.
 */
export const ledgerAudit: LedgerRecorder = {
  jobsChanged: (tx, { action, which, changed }) =>
    recordAudit(
      tx,
      ...[...groupBy(changed, (job) => job.workspaceId)].map(([workspaceId, jobs]) => ({
        workspaceId,
        action: ACTIONS[action],
        subjectId: which.id,
        details: { count: jobs.length, ...filterOf(which) },
      })),
    ),
  queueSwitched: (tx, queue, to) =>
    recordAudit(tx, { workspaceId: INSTALLATION, action: `queue.${to}`, subjectId: queue }),
};
