import type { Connectors, OpenMessageFile } from "../connectors/index.ts";
import type { Jobs } from "../jobs/index.ts";
import type { Database, FailureLimit, Logger, Metrics } from "../platform/index.ts";

/** What the routes work with. */
export interface Services {
  db: Database;
  connectors: Connectors;
  jobs: Jobs;
  openMessageFile: OpenMessageFile;
  /** Counts the calls whose key is wrong. */
  failures: FailureLimit;
  metrics: Metrics;
  log: Logger;
  /** Undefined: nobody is an administrator. */
  adminToken?: string;
}
