import type { Connectors } from "../connectors/index.ts";
import type { Jobs } from "../jobs/index.ts";
import type { Database, Logger, Metrics } from "../platform/index.ts";

/** What the routes work with. */
export interface Services {
  db: Database;
  connectors: Connectors;
  jobs: Jobs;
  metrics: Metrics;
  log: Logger;
  /** Undefined: nobody is an administrator. */
  adminToken?: string;
}
