/** migrations: the schema, one numbered file a capability, applied in this order. */
import type { Migration } from "../src/platform/migration.ts";
import { migration as workspaces } from "./0001_workspaces.ts";
import { migration as jobs } from "./0002_jobs.ts";
import { migration as conversations } from "./0003_conversations.ts";
import { migration as outbound } from "./0004_outbound.ts";
import { migration as ledger } from "./0005_ledger.ts";
import { migration as processes } from "./0006_processes.ts";
import { migration as updateWatch } from "./0007_update_watch.ts";
import { migration as audit } from "./0008_audit.ts";
import { migration as failureCounts } from "./0009_failure_counts.ts";
import { migration as polling } from "./0010_polling.ts";
import { migration as tenancy } from "./0011_tenancy.ts";
import { migration as access } from "./0012_access.ts";
import { migration as supportQueue } from "./0013_support_queue.ts";
import { migration as broadcasts } from "./0014_broadcasts.ts";
import { migration as approvals } from "./0015_approvals.ts";
import { migration as templates } from "./0016_templates.ts";
import { migration as register } from "./0017_register.ts";
import { migration as evidence } from "./0018_evidence.ts";
import { migration as dialogs } from "./0019_dialogs.ts";
import { migration as registerCounts } from "./0020_register_counts.ts";
import { migration as registerSearch } from "./0021_register_search.ts";

export const migrations: Migration[] = [
  workspaces,
  jobs,
  conversations,
  outbound,
  ledger,
  processes,
  updateWatch,
  audit,
  failureCounts,
  polling,
  tenancy,
  access,
  supportQueue,
  broadcasts,
  approvals,
  templates,
  register,
  evidence,
  dialogs,
  registerCounts,
  registerSearch,
];
