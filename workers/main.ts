import { once as emitted } from "node:events";
import { actAs } from "../src/audit/index.ts";
import { createWorkspace } from "../src/connectors/index.ts";
import {
  assertDatabaseReady,
  type Config,
  fail,
  loadConfig,
  missingSetting,
} from "../src/platform/index.ts";
import { apiKeysCommand } from "./api-keys-command.ts";
import { auditCommand } from "./audit-command.ts";
import { startBackground } from "./background.ts";
import { connectorCommand } from "./connector-command.ts";
import { startEvidence } from "./evidence.ts";
import { evidenceCommand } from "./evidence-command.ts";
import { startIngest } from "./ingest.ts";
import { jobsCommand, queuesCommand } from "./jobs-command.ts";
import { migrateAll } from "./migrate.ts";
import { startOutbound } from "./outbound.ts";
import { openPoller } from "./poller.ts";
import { type Opened, repointInBackground, runProcess, watch } from "./process.ts";
import { registerCommand } from "./register-command.ts";
import { keysCommand } from "./sealed-records.ts";
import { start } from "./start.ts";
import { checkDatabase, checkWakes, openSystem, type System } from "./system.ts";
import { webServer } from "./web.ts";

const USAGE = `heliograph <command>

  start                    everything in one process, ready to try
  migrate                  bring the database's schema up to date
  web | ingest | outbound | evidence | poller
                           one process of an installation (see Procfile)
  workspace create NAME    a new workspace; prints its API key, once
  connector add --workspace ID --name NAME   connects a bot; its token on standard input
  connector import FILE --workspace ID --name NAME [--dry-run]
                           connects a bot as a YAML file says (examples/connection.yaml)
  connector list|test ID|rotate ID|remove ID the bots; asks Telegram; a new token; disconnects
  evidence verify [--workspace ID] [--older-than DAYS]
                           reads every stored file again; names those that are not as they were
  keys rotate              wraps all that is sealed by the newest of ENCRYPTION_KEYS
  key create --workspace ID --scopes read,send,manage,approve,audit --expires 90d|TIME|never [--name N]
                           a new API key of a workspace; prints it, once
  key list --workspace ID  a workspace's keys, without the keys themselves
  key revoke ID            ends a key
  audit verify [--workspace ID|--installation] [--expect COUNT:HASH]
                           recomputes the audit log's chains; names the first entry that is wrong
  audit export --workspace ID|--installation [--from TIME] [--to TIME]
                           a chain as JSON lines, for scripts/verify-audit.mjs
  register import FILE --workspace ID --kind controls|…|all [--dry-run] [--only-new]
                           brings a CSV or JSON file into the register (docs/import-export.md)
  register export --workspace ID --kind controls|…|all [--format csv|json]
                           the register as such a file, on standard output
  jobs list [FILTER]       the newest jobs that match
  jobs show ID             one job, with its failed attempts
  jobs retry ID|FILTER     gives dead letters their attempts back; --state cancelled: those
  jobs discard ID|FILTER   makes waiting jobs dead letters
  jobs cancel ID|FILTER    cancels waiting jobs
  jobs run-now ID|FILTER   makes jobs due that wait for their time or their retry
      FILTER: --queue --state --lane --connector --chat --update --error-class --q
              --from --to --workspace, or --all; with --dry-run only says how many
  queues [list]            what each queue holds
  queues pause|resume NAME stops a queue everywhere, lets it go on
  sandbox [--port N] [--state FILE]   the local Telegram by itself
  bench [NAME …]           measures the figures, as JSON lines
  chaos [--minutes M] [--seed N] [--backend redis|postgres] [--keep]
                           load and faults at random; what was lost, doubled, out of order
`;

const print = (value: unknown) =>
  void process.stdout.write(
    `${typeof value === "string" ? value : JSON.stringify(value, null, 2)}\n`,
  );

/** Waits for whoever reads, so that a long list is not held in memory. */
async function printLine(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await emitted(process.stdout, "drain");
}

/** The first Ctrl-C is told to who works, the second one ends the process. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort(new Error("interrupted")));
  return controller.signal;
}

/** A command that runs once with a system, and closes it. */
async function once(config: Config, run: (system: System) => Promise<void>): Promise<void> {
  const system = openSystem(config, "cli", 3);
  try {
    await assertDatabaseReady(system.db);
    await actAs({ kind: "admin", id: "cli" }, null, () => run(system));
  } finally {
    await system.close();
  }
}

async function web(config: Config): Promise<void> {
  const system = openSystem(config, "web", 10);
  await runProcess(system.log, async (opened) => {
    opened.add(system.close);
    await checkDatabase(system);
    await checkWakes(system);
    await watch(system);
    opened.add(startBackground(system).stop);
    const server = webServer(system);
    opened.add(() => server.close(5_000));
    const port = await server.listen(config.port);
    system.log.info({ port }, "listening");
    void system.jobs.announce("web");
    repointInBackground(system);
  });
}

async function worker(
  config: Config,
  name: string,
  connections: number,
  startWork: (system: System, opened: Opened) => Promise<void>,
): Promise<void> {
  const system = openSystem(config, name, connections);
  await runProcess(system.log, async (opened) => {
    opened.add(system.close);
    await checkDatabase(system);
    await checkWakes(system);
    await watch(system);
    opened.add(startBackground(system).stop);
    await startWork(system, opened);
    void system.jobs.announce(name);
    system.log.info({}, "working");
  });
}

/** Where Telegram sends the updates there is nothing to ask for: a process that waits to be stopped. */
async function startPolling(system: System, opened: Opened): Promise<void> {
  if (system.config.updatesMode === "polling") {
    opened.add(openPoller(system).stop);
    return;
  }
  system.log.info({}, "UPDATES_MODE is webhook: nothing is polled");
  const alive = setInterval(() => {}, 60_000);
  opened.add(async () => clearInterval(alive));
}

async function main([command, ...rest]: string[]): Promise<void> {
  if (command === "sandbox") {
    const { runSandbox } = await import("../sandbox/index.ts");
    return runSandbox(rest);
  }
  if (command === "bench") {
    const { bench } = await import("../bench/index.ts");
    return bench(rest);
  }
  if (command === "chaos") {
    const { chaos, readOptions } = await import("../chaos/index.ts");
    // A pipe of a process that was killed in the run may be left, and would keep this one alive.
    process.exit((await chaos(readOptions(rest))) ? 0 : 1);
  }
  if (command === undefined || command === "help" || command === "--help") return print(USAGE);
  const config = loadConfig();
  switch (command) {
    case "start":
      return start(config);
    case "migrate": {
      if (config.databaseUrl === undefined) throw missingSetting("DATABASE_URL");
      const applied = await migrateAll(config.databaseUrl);
      return print(applied.length === 0 ? "up to date" : `applied: ${applied.join(", ")}`);
    }
    case "web":
      return web(config);
    case "ingest":
      return worker(config, "ingest", 10, startIngest);
    case "outbound":
      return worker(config, "outbound", 20, startOutbound);
    case "poller":
      return worker(config, "poller", 10, startPolling);
    case "workspace": {
      const [action, name] = rest;
      if (action !== "create" || !name) throw new Error("use: heliograph workspace create NAME");
      return once(config, async (system) => print(await createWorkspace(system.db, name)));
    }
    case "connector":
      return once(config, (system) => connectorCommand(system, rest, print));
    case "evidence":
      // Alone it is the pool; with more words it is about what is stored.
      if (rest.length === 0) return worker(config, "evidence", 20, startEvidence);
      return once(config, async (system) => {
        const options = { print: printLine, signal: interruption() };
        process.exitCode = await evidenceCommand(system, rest, options);
      });
    case "keys":
      return once(config, (system) => keysCommand(system, rest, print));
    case "key":
      return once(config, (system) => apiKeysCommand(system, rest, print));
    case "audit":
      return once(config, async (system) => {
        if (!(await auditCommand(system, rest, printLine))) process.exitCode = 1;
      });
    case "register":
      return once(config, async (system) => {
        if (!(await registerCommand(system, rest, printLine))) process.exitCode = 1;
      });
    case "jobs":
      return once(config, (system) => jobsCommand(system, rest, print));
    case "queues":
      return once(config, (system) => queuesCommand(system, rest, print));
    default:
      throw new Error(`there is no command ${JSON.stringify(command)}; see: heliograph help`);
  }
}

main(process.argv.slice(2)).catch(fail);
