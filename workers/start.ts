import path from "node:path";
import { type Sandbox, startSandbox } from "../sandbox/index.ts";
import {
  type Config,
  createLogger,
  type EmbeddedPostgres,
  loadEmbeddedSecrets,
  lockFolder,
  missingSetting,
  projectFile,
  startEmbeddedPostgres,
} from "../src/platform/index.ts";
import { startBackground } from "./background.ts";
import { setUpDemo } from "./demo.ts";
import { startEvidence } from "./evidence.ts";
import { startIngest } from "./ingest.ts";
import { migrateAll } from "./migrate.ts";
import { startOutbound } from "./outbound.ts";
import { openPoller } from "./poller.ts";
import { type Opened, repointInBackground, runProcess, watch } from "./process.ts";
import { checkDatabase, checkWakes, openSystem, type System } from "./system.ts";
import { webServer } from "./web.ts";

const CONNECTIONS = 20;
const say = (line: string) => void process.stdout.write(`${line}\n`);

/** `npm start`: every process in one, with an embedded Postgres and the sandbox where nothing else is named. */
export async function start(config: Config): Promise<void> {
  const folder = projectFile(".heliograph");
  const log = createLogger({ level: config.logLevel });
  await runProcess(log, async (opened) => {
    const lock = await lockFolder(folder);
    opened.add(() => lock.release());
    let postgres: EmbeddedPostgres | undefined;
    if (config.databaseUrl === undefined) {
      postgres = await startEmbeddedPostgres({ dataFolder: folder, log });
      opened.add(postgres.stop);
      void postgres.exited.then(() => {
        if (opened.isStopping) return;
        // Nothing can be done without it, and the next start recovers: end, as a crash would.
        log.error({}, "the embedded Postgres has ended; stopping");
        process.kill(process.pid, "SIGTERM");
      });
    }
    const usesSandbox = !isRealTelegram(config);
    const complete = await withSecrets(config, folder, postgres, usesSandbox);
    await migrateAll(complete.databaseUrl);
    let sandbox: Sandbox | undefined;
    if (usesSandbox) {
      sandbox = await openSandbox(config.port + 1, path.join(folder, "sandbox.json"));
      opened.add(sandbox.close);
      complete.telegramApiRoot = sandbox.url;
    }
    const system = openSystem(complete, "all", CONNECTIONS);
    opened.add(system.close);
    await serve(system, opened, sandbox, folder);
  });
}

/** A Bot API server was named, or an address at which Telegram's own reaches us. */
function isRealTelegram(config: Config): boolean {
  if (config.publicUrl !== undefined) return true;
  if (config.telegramApiRoot !== "https://api.telegram.org") return true;
  // Polling needs no address, so that naming Telegram's own server is enough.
  return config.updatesMode === "polling" && config.telegramApiRootGiven === true;
}

async function serve(
  system: System,
  opened: Opened,
  sandbox: Sandbox | undefined,
  folder: string,
): Promise<void> {
  await checkDatabase(system);
  await checkWakes(system);
  await watch(system);
  opened.add(startBackground(system).stop);
  const server = webServer(system);
  opened.add(() => server.close(3_000));
  const port = await server.listen(system.config.port);
  await startIngest(system);
  await startOutbound(system);
  await startEvidence(system, opened);
  if (system.config.updatesMode === "polling") opened.add(openPoller(system).stop);
  void system.jobs.announce("all");
  say(`Heliograph is ready: http://127.0.0.1:${port}/docs`);
  say(`Console, opened with the administrator's token: http://127.0.0.1:${port}/console`);
  if (sandbox !== undefined) {
    const demo = await setUpDemo(system, sandbox, path.join(folder, "demo.json"));
    say(`Chat with @${demo.botUsername} in the sandbox: ${sandbox.url}/`);
    say(`The demo workspace's API key is kept in ${path.join(folder, "demo.json")}`);
  }
  // After the demo's own bot has been registered: one at a time.
  repointInBackground(system);
  say("Ctrl-C stops it; the next start finds its data again.");
}

/** Embedded mode, and the sandbox, make their own secrets; a real installation brings them. */
async function withSecrets(
  config: Config,
  folder: string,
  postgres: EmbeddedPostgres | undefined,
  usesSandbox: boolean,
): Promise<Config & { databaseUrl: string }> {
  const databaseUrl = config.databaseUrl ?? postgres?.url ?? "";
  if (postgres === undefined && !usesSandbox && config.encryptionKeys === undefined) {
    throw missingSetting("ENCRYPTION_KEYS");
  }
  const secrets = await loadEmbeddedSecrets(folder);
  if (config.adminToken === undefined && secrets.adminTokenIsNew) {
    say(`Administrator's token, shown this once: ${secrets.adminToken}`);
  }
  return {
    ...config,
    databaseUrl,
    encryptionKeys: config.encryptionKeys ?? secrets.encryptionKeys,
    adminToken: config.adminToken ?? secrets.adminToken,
    storage: config.storage ?? { kind: "local", folder: path.join(folder, "files") },
  };
}

/** On the port beside ours where it is free, so that bookmarks keep working. */
async function openSandbox(port: number, stateFile: string): Promise<Sandbox> {
  try {
    return await startSandbox({ port, stateFile });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    return startSandbox({ port: 0, stateFile });
  }
}
