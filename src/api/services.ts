import type { Connectors, OpenMessageFile } from "../connectors/index.ts";
import type { EvidenceUploads, Packs, Vault } from "../evidence/index.ts";
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
  /** Contents of evidence: read, taken in, packed. */
  evidence: { vault: Pick<Vault, "open">; uploads: EvidenceUploads; packs: Packs };
  metrics: Metrics;
  log: Logger;
  /** Undefined: nobody is an administrator. */
  adminToken?: string;
}
