import { mkdtemp, rm } from "node:fs/promises";
import { createServer, Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BotApiServer } from "./bot-api-server.ts";
import { BotUpdates } from "./bot-updates.ts";
import { systemClock } from "./clock.ts";
import { controlApi } from "./control-api.ts";
import { type Core, OpenQueries } from "./core.ts";
import { SandboxError } from "./errors.ts";
import { Faults } from "./faults.ts";
import { folderFiles, memoryFiles } from "./file-store.ts";
import { InlineDesk } from "./inline.ts";
import { defaultLimits, Limits, localServerLimits } from "./limits.ts";
import { Outages } from "./outages.ts";
import { restore, takeSnapshot } from "./persistence.ts";
import { RateLimiter } from "./rate-limit.ts";
import { SandboxRecord } from "./record.ts";
import { keepRecordFile } from "./record-file.ts";
import { actionsOf } from "./sandbox-actions.ts";
import type { Sandbox, SandboxOptions } from "./sandbox-types.ts";
import { readSnapshot, StateKeeper } from "./snapshot.ts";
import { aboutUpdate } from "./update-kinds.ts";
import { type Bot, World } from "./world.ts";

/**
 * Starts a local Telegram. Resolves once it listens.
 *
 * @throws Error when the port is taken or the state file cannot be read or written
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const clock = options.clock ?? systemClock;
  const agent = {
    http: new HttpAgent({ keepAlive: true, maxFreeSockets: 256 }),
    https: new HttpsAgent({ keepAlive: true, maxFreeSockets: 256 }),
  };
  const world = new World();
  const isLocal = options.local ?? false;
  const limitRules = new Limits({
    ...defaultLimits,
    ...(isLocal && localServerLimits),
    ...options.limits,
  });
  const limits = limitRules.all;
  const updates = new Map<number, BotUpdates>();
  const record = new SandboxRecord(options.recordLimit ?? 100_000, () => clock.now());
  const tell = (what: string, id: number, fault: object) =>
    record.add({ kind: "fault", what, id, fault });
  const faults = new Faults(clock, tell);
  const outages = new Outages({
    faults,
    clock,
    onChange: tell,
    resume() {
      for (const own of updates.values()) own.resume();
    },
  });
  let keeper: StateKeeper | undefined;
  const ownFolder =
    isLocal && options.stateFile === undefined
      ? await mkdtemp(join(tmpdir(), "sandbox-files-"))
      : undefined;
  const fileFolder = options.stateFile === undefined ? ownFolder : `${options.stateFile}.files`;
  const core: Core = {
    world,
    record,
    clock,
    limits,
    limitRules,
    files: fileFolder === undefined ? memoryFiles() : folderFiles(fileFolder),
    isLocal,
    fileIndex: new Map(),
    callbacks: new OpenQueries(),
    inline: new InlineDesk(),
    rates: new RateLimiter(() => limits.violationPenaltyMs),
    updatesOf(botId) {
      const found = updates.get(botId);
      if (found === undefined) throw new SandboxError(`no bot ${botId}`, 404);
      return found;
    },
    changed: () => keeper?.changed(),
  };
  const botApi = new BotApiServer(core, faults);
  const addBot = (bot: Bot): BotUpdates => {
    world.addBot(bot);
    const own = new BotUpdates(bot, {
      clock,
      record,
      agent,
      webhookTimeoutMs: () => limits.webhookTimeoutMs,
      strike: (entry, hasNext) =>
        faults.strikeDelivery({
          botId: bot.id,
          updateKind: entry.kind,
          chatId: aboutUpdate(entry.update).chatId,
          hasNext,
        }),
      isCutOff: (botId) => outages.isCutOff(botId),
      changed: core.changed,
      runCall: (caller, method, params) => void botApi.runWebhookCall(caller, method, params),
    });
    updates.set(bot.id, own);
    return own;
  };

  if (options.stateFile !== undefined) {
    const snapshot = readSnapshot(options.stateFile);
    if (snapshot !== undefined) restore(core, snapshot, addBot);
    keeper = new StateKeeper(options.stateFile, (clean) => takeSnapshot(core, updates, clean));
    await keeper.begin();
  }

  const recordFile =
    options.recordFile === undefined ? undefined : await keepRecordFile(record, options.recordFile);
  let baseUrl = "";
  let closing: Promise<void> | undefined;
  const sandbox: Sandbox = {
    ...actionsOf(core, { addBot, faults, outages, newTokens: botApi.newTokens }),
    get url() {
      return baseUrl;
    },
    close() {
      closing ??= close();
      return closing;
    },
  };

  const others = controlApi(core, sandbox, { faults, outages, recordFile });
  const server = createServer((request, response) => {
    if (!botApi.handle(request, response)) others(request, response);
  });
  // Longer than callers keep theirs, so that it is never this side that closes one in use.
  server.keepAliveTimeout = 65_000;

  async function close(): Promise<void> {
    for (const own of updates.values()) own.stop();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
    agent.http.destroy();
    agent.https.destroy();
    await keeper?.close();
    await recordFile?.close();
    if (ownFolder !== undefined) await rm(ownFolder, { recursive: true, force: true });
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, options.host ?? "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
  const { address, port, family } = server.address() as AddressInfo;
  baseUrl = `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
  // Only now: a webhook may call back at once.
  for (const bot of world.bots.values())
    if (bot.webhook !== null) core.updatesOf(bot.id).startWebhook(bot.webhook);
  return sandbox;
}
