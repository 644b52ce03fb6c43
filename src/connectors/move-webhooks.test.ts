import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { NO_DOWNLOADS } from "../../test/support/no-downloads.ts";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { recordAudit } from "../audit/index.ts";
import { sha256 } from "../platform/index.ts";
import type { BotApi } from "../telegram/index.ts";
import type { ConnectorRow } from "./connector-row.ts";
import { startConnectorWatch } from "./connector-watch.ts";
import { type Connectors, createConnectors } from "./connectors.ts";
import { register } from "./registrar.ts";
import { createWebhookDirectory } from "./webhook-directory.ts";

/** Webhooks move to a new address, with several web processes at it and a Telegram that fails. */

let world: TestSystem;
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
});
beforeEach(async () => {
  await world.system.db.query("DELETE FROM connectors");
});
afterAll(() => world.close());

const NEW_URL = "https://new.example";

async function connectBot(): Promise<{ id: string; key: string }> {
  const username = `b${randomBytes(5).toString("hex")}_bot`;
  const bot = world.sandbox.createBot({ name: "Desk", username, canReadAllGroupMessages: true });
  const made = await world.system.connectors.connect(world.workspaceId, {
    name: "Desk",
    botToken: bot.token,
  });
  return { id: made.id, key: made.webhookUrl?.split("/").at(-1) ?? "" };
}

/** What Telegram holds, whichever process said it last. */
class FakeTelegram {
  secret = "";
  setWebhooks = 0;
}

/** A web process that asks `before` at each call. */
function webProcess(
  telegram: FakeTelegram,
  before: (method: string) => Promise<void> | void = () => {},
): Connectors {
  const { db, keyring, log } = world.system;
  const botApi = (): BotApi => {
    let url = "";
    return {
      ...NO_DOWNLOADS,
      call: async <T>(method: string, params?: Record<string, unknown>) => {
        await before(method);
        if (method === "setWebhook") {
          telegram.setWebhooks++;
          telegram.secret = String(params?.secret_token);
          url = String(params?.url);
        }
        return { url, allowed_updates: [] } as T;
      },
    };
  };
  const botApis = { forConnector: async () => botApi(), refusedToken: () => undefined };
  return createConnectors({
    db,
    keyring,
    log,
    commands: [],
    audit: recordAudit,
    publicUrl: NEW_URL,
    sends: { resume: async () => 0, cancel: async () => 0 },
    botApi,
    botApis,
  });
}

const isAccepted = async (telegram: FakeTelegram, key: string) => {
  const owner = await createWebhookDirectory(world.system.db).find(key);
  return owner?.secretHashes.some((hash) => hash.equals(sha256(telegram.secret)));
};

const rowOf = async (id: string) =>
  (
    await world.system.db.query<
      ConnectorRow & { secret_hash: Buffer; previous_secret_hashes: Buffer[] }
    >("SELECT * FROM connectors WHERE id = $1", [id])
  )[0];

/** Time passes: whoever claimed is long gone. */
const claimsRunOut = () =>
  world.system.db.query("UPDATE connectors SET register_after = now() - interval '1 s'");

/** Stands still at the first setWebhook until `open`. */
function gate() {
  let open = () => {};
  let reached = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const atGate = new Promise<void>((resolve) => {
    reached = resolve;
  });
  return {
    open: () => open(),
    atGate,
    before: async (method: string) => {
      if (method !== "setWebhook") return;
      reached();
      await opened;
    },
  };
}

test("two processes that start together: one moves the webhook, and its secret is accepted", async () => {
  const { id, key } = await connectBot();
  const telegram = new FakeTelegram();
  const slow = gate();
  const first = webProcess(telegram, slow.before).repointWebhooks();
  await slow.atGate;
  expect(await webProcess(telegram).repointWebhooks()).toBe(0);
  slow.open();
  expect(await first).toBe(1);
  expect(telegram.setWebhooks).toBe(1);
  expect(await isAccepted(telegram, key)).toBe(true);
  expect((await rowOf(id))?.webhook_url).toBe(`${NEW_URL}/webhooks/telegram/${key}`);
});

test("one that was slower than its claim has the last word at Telegram: it is registered once more", async () => {
  const { id, key } = await connectBot();
  const telegram = new FakeTelegram();
  const slow = gate();
  const first = webProcess(telegram, slow.before).repointWebhooks();
  await slow.atGate;
  await claimsRunOut();
  const second = webProcess(telegram);
  expect(await second.repointWebhooks()).toBe(1);
  slow.open();
  expect(await first).toBe(0);
  expect((await rowOf(id))?.webhook_url).toBeNull();
  expect(await second.repointWebhooks()).toBe(1);
  expect(await isAccepted(telegram, key)).toBe(true);
  expect((await rowOf(id))?.previous_secret_hashes).toEqual([]);
});

test("one that was stopped for long tells Telegram nothing", async () => {
  const { id } = await connectBot();
  const row = await rowOf(id);
  if (row === undefined) throw new Error("no row");
  const called: string[] = [];
  const api = { ...NO_DOWNLOADS, call: async (method: string) => called.push(method) as never };
  const { db } = world.system;
  const late = { row, secret: "late", tellUntilMs: performance.now() - 1 };
  const registering = register({ db, publicUrl: NEW_URL, commands: [] }, api, late);
  await expect(registering).rejects.toMatchObject({ title: "Too late" });
  expect(called).toEqual([]);
});

test("failed moves forget no secret that Telegram may hold, and don't pile secrets up", async () => {
  const { id, key } = await connectBot();
  const before = (await rowOf(id))?.secret_hash;
  const telegram = new FakeTelegram();
  const answerLost = (method: string) => {
    if (method === "getWebhookInfo") throw new Error("Telegram is away");
  };
  for (const process of [webProcess(telegram, answerLost), webProcess(telegram, answerLost)]) {
    for (let failure = 0; failure < 3; failure++) {
      await claimsRunOut();
      expect(await process.repointWebhooks()).toBe(0);
      expect(await isAccepted(telegram, key)).toBe(true);
    }
  }
  const row = await rowOf(id);
  expect(telegram.setWebhooks).toBe(6);
  expect(row?.previous_secret_hashes).toHaveLength(2);
  expect(row?.previous_secret_hashes).toContainEqual(before);
});

test("a failed move is tried again by the watch, once its claim has run out", async () => {
  const { id, key } = await connectBot();
  const telegram = new FakeTelegram();
  let isAway = true;
  const process = webProcess(telegram, () => {
    if (isAway) throw new Error("Telegram is away");
  });
  expect(await process.repointWebhooks()).toBe(0);
  isAway = false;
  expect(await process.repointWebhooks()).toBe(0);
  await claimsRunOut();
  const { db, botApis, log } = world.system;
  const moveWebhooks = process.repointWebhooks;
  const watch = startConnectorWatch({ db, botApis, log, moveWebhooks, tickMs: 5 });
  try {
    await waitFor(async () => (await rowOf(id))?.webhook_url?.startsWith(NEW_URL));
  } finally {
    await watch.stop();
  }
  expect(await isAccepted(telegram, key)).toBe(true);
});

test("a claim from before the clock went back does not last for ever", async () => {
  await connectBot();
  await world.system.db.query("UPDATE connectors SET register_after = now() + interval '1 year'");
  expect(await webProcess(new FakeTelegram()).repointWebhooks()).toBe(1);
});

test("however many bots: all are moved, a few at a time", async () => {
  const bots = [];
  for (let n = 0; n < 19; n++) bots.push(await connectBot());
  let atOnce = 0;
  let most = 0;
  const process = webProcess(new FakeTelegram(), async (method) => {
    if (method !== "setWebhook") return;
    most = Math.max(most, ++atOnce);
    await new Promise((resolve) => setImmediate(resolve));
    atOnce--;
  });
  expect(await process.repointWebhooks()).toBe(bots.length);
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(8);
});

test("a bot that is disabled while it is registered stays disabled, and keeps both secrets", async () => {
  const { id, key } = await connectBot();
  const telegram = new FakeTelegram();
  const before = (await rowOf(id))?.secret_hash;
  const slow = gate();
  const moving = webProcess(telegram, slow.before).repointWebhooks();
  await slow.atGate;
  await world.system.connectors.disable(id, "Telegram refuses the token.");
  slow.open();
  expect(await moving).toBe(0);
  const row = await rowOf(id);
  expect(row).toMatchObject({
    status: "disabled",
    status_detail: "Telegram refuses the token.",
    previous_secret_hashes: [before],
  });
  expect(await isAccepted(telegram, key)).toBe(true);
});
