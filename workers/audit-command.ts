import { parseArgs } from "node:util";
import {
  type ChainVerdict,
  exportChain,
  type Head,
  INSTALLATION,
  recordAudit,
  verifyChains,
} from "../src/audit/index.ts";
import { asUuid, timeOption } from "./options.ts";
import type { System } from "./system.ts";

/** `heliograph audit verify|export`: see docs/audit.md. */
const OPTIONS = {
  workspace: { type: "string" },
  installation: { type: "boolean" },
  expect: { type: "string" },
  from: { type: "string" },
  to: { type: "string" },
} as const;

const named = (workspaceId: string) =>
  workspaceId === INSTALLATION ? "installation" : workspaceId;

function headOption(text: string): Head {
  const [, count, hash] = /^([0-9]{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (count === undefined || hash === undefined) {
    throw new Error("--expect is a head as `audit verify` prints it: COUNT:HASH");
  }
  return { count: Number(count), hash };
}

/** One line for people and scripts. */
export function verdictLine({ workspaceId, verified, head, waiting, fault }: ChainVerdict): string {
  const waits = waiting === 0 ? "" : `, ${waiting} wait to be sealed`;
  if (fault === null && head !== null) {
    return `ok      ${named(workspaceId)}  ${verified} entries${waits}  head ${head.count}:${head.hash}`;
  }
  return `BROKEN  ${named(workspaceId)}  ${verified} entries are as they were; then: ${fault?.what}`;
}

/**
 * Runs `audit …`; false when a chain is broken. Throws an `Error` in one line for what cannot be done.
 */
export async function auditCommand(
  { db, keyring }: System,
  args: string[],
  print: (line: string) => void | Promise<void>,
): Promise<boolean> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const [action, ...rest] = positionals;
  if (rest.length > 0) throw new Error(`audit ${action} takes options only`);
  const one =
    values.workspace === undefined
      ? values.installation && INSTALLATION
      : asUuid("--workspace", values.workspace);
  if (action === "verify") {
    const expect = values.expect === undefined ? undefined : headOption(values.expect);
    if (expect !== undefined && !one)
      throw new Error("--expect goes with --workspace or --installation");
    let isWell = true;
    let chains = 0;
    for await (const verdict of verifyChains(db, keyring, {
      workspaceId: one || undefined,
      expect,
    })) {
      await print(verdictLine(verdict));
      isWell &&= verdict.fault === null;
      chains++;
    }
    if (chains === 0) throw new Error("there is no such chain");
    return isWell;
  }
  if (action !== "export") throw new Error("audit takes verify or export");
  if (!one) throw new Error("audit export wants --workspace ID, or --installation");
  const { from, to } = values;
  const times = {
    from: from === undefined ? undefined : timeOption("from", from),
    to: to === undefined ? undefined : timeOption("to", to),
  };
  const details = { from: times.from?.toISOString(), to: times.to?.toISOString() };
  await recordAudit(db, { workspaceId: one, action: "audit.exported", details });
  for await (const line of exportChain(db, keyring, { workspaceId: one, ...times })) {
    await print(line);
  }
  return true;
}
