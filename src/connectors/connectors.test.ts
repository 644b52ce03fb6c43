import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { BotAccount } from "../../sandbox/index.ts";
import { connectingBots, NO_SENDS, problem } from "../../test/support/connecting-bots.ts";
import { NO_DOWNLOADS } from "../../test/support/no-downloads.ts";
import {
  deliver,
  startTestSystem,
  type TestSystem,
  textUpdate,
} from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { recordAudit } from "../audit/index.ts";
import { type Problem, sha256 } from "../platform/index.ts";
import { createBotApiFactory } from "../telegram/index.ts";
import { type ConnectorView, createConnectors } from "./connectors.ts";
import { createWebhookDirectory } from "./webhook-directory.ts";
import { createWorkspace } from "./workspaces.ts";

let world: TestSystem;
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
});
afterAll(() => world.close());

const { newBot, connect, rowsOf } = connectingBots(() => world);

/** Connects with an eye on what Telegram is told: the webhook's secrets, in order. */
async function connectAndWatch(
  bot: BotAccount,
  before: (method: string) => Promise<void> = async () => {},
): Promise<{ secrets: string[] }> {
  const secrets: string[] = [];
  const { db, keyring, log, botApis, config } = world.system;
  const botApi = createBotApiFactory({ apiRoot: config.telegramApiRoot });
  const watched = createConnectors({
    db,
    keyring,
    log,
    botApis,
    publicUrl: world.url,
    commands: [],
    sends: NO_SENDS,
    audit: recordAudit,
    botApi: (token) => ({
      ...NO_DOWNLOADS,
      call: async (method, params, limits) => {
        await before(method);
        if (method === "setWebhook") secrets.push(String(params?.secret_token));
        return botApi(token).call(method, params, limits);
      },
    }),
  });
  await watched.connect(world.workspaceId, { name: "Desk", botToken: bot.token });
  return { secrets };
}

/** Every row of every table of the schema, as text. */
async function dump(): Promise<string> {
  const { db } = world.system;
  const tables = await db.query<{ name: string }>(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'",
  );
  const parts: string[] = [];
  for (const { name } of tables) {
    const rows = await db.query<{ row: string }>(`SELECT t::text AS row FROM "${name}" t`);
    parts.push(...rows.map(({ row }) => row));
  }
  return parts.join("\n");
}

/** A secret in the forms in which it might lie somewhere. */
const forms = (secret: string) => {
  const bytes = Buffer.from(secret);
  return [secret, bytes.toString("hex"), bytes.toString("base64"), bytes.toString("base64url")];
};

test("a bot is connected: webhook registered with a secret and with the kinds that are used", async () => {
  const bot = newBot();
  const connector = await connect(bot);
  expect(connector).toMatchObject({
    name: "Desk",
    status: "active",
    bot: { id: String(bot.id), canReadAllGroupMessages: true },
    warnings: [],
  });
  const info = world.sandbox.webhookInfo(bot.id);
  expect(info.url).toBe(connector.webhookUrl);
  expect(info.url).not.toContain(bot.token.split(":")[1]);
  expect(info.allowed_updates).toEqual(expect.arrayContaining(["message", "callback_query"]));
});

test("neither the token nor the secret nor an API key lies in the database, in any form", async () => {
  const bot = newBot();
  const { secrets: webhookSecrets } = await connectAndWatch(bot);
  expect(webhookSecrets).toEqual([expect.stringMatching(/^[A-Za-z0-9_-]{32,256}$/)]);
  const { apiKey } = await createWorkspace(world.system.db, "Keys");
  const stored = await dump();
  expect(stored).toContain(String(bot.id));
  const tokenSecret = bot.token.split(":")[1] ?? "";
  for (const secret of [bot.token, tokenSecret, ...webhookSecrets, apiKey, apiKey.slice(4)]) {
    for (const form of forms(secret)) expect(stored).not.toContain(form);
  }
  expect(stored).toContain(sha256(apiKey).toString("hex"));
});

test("a bot in privacy mode: connected, with a warning that says what to do", async () => {
  const { warnings } = await connect(newBot(false));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/privacy.*@BotFather.*\/setprivacy/is);
});

test("a token that Telegram refuses: 422, and nothing is stored", async () => {
  const bot = newBot();
  const before = await dump();
  const refused = { ...bot, token: `${bot.id}:${"x".repeat(35)}` };
  const error = await problem(connect(refused));
  expect(error).toMatchObject({ status: 422, errors: [{ path: "botToken" }] });
  expect(JSON.stringify(error)).not.toContain("xxxx");
  expect(await dump()).toBe(before);
});

test("a bot of another workspace: 409, the first one keeps it, and its webhook is untouched", async () => {
  const bot = newBot();
  const first = await connect(bot);
  const other = await createWorkspace(world.system.db, "Other");
  expect(await problem(connect(bot, other.id))).toMatchObject({ status: 409 });
  expect(await problem(connect(bot))).toMatchObject({ status: 409 });
  expect(await rowsOf(bot)).toEqual([
    { id: first.id, status: "active", workspace_id: world.workspaceId },
  ]);
  expect(world.sandbox.webhookInfo(bot.id).url).toBe(first.webhookUrl);
});

test("several workspaces connect one bot in the same instant: one has it, the others get 409", async () => {
  for (let round = 0; round < 5; round++) {
    const bot = newBot();
    const { db } = world.system;
    const workspaces = await Promise.all([1, 2, 3, 4].map(() => createWorkspace(db, "Racer")));
    const results = await Promise.allSettled(workspaces.map(({ id }) => connect(bot, id)));
    const won = results.filter((result) => result.status === "fulfilled");
    const lost = results.filter((result) => result.status === "rejected");
    expect(won).toHaveLength(1);
    expect(lost.map(({ reason }) => (reason as Problem).status)).toEqual([409, 409, 409]);
    const rows = await rowsOf(bot);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.status).toBe("active");
    expect(world.sandbox.webhookInfo(bot.id).url).toBe(won[0]?.value.webhookUrl);
  }
});

test.each([
  ["refuses", { status: 400, error_code: 400, description: "Bad Request: bad webhook" }],
  ["fails", { status: 502 }],
  ["resets before it is done", "reset-before-effect"],
  ["resets after it is done", "reset-after-effect"],
] as const)(
  "Telegram %s at setWebhook: 502, the bot is free again, and a retry connects",
  async (_name, answer) => {
    const bot = newBot();
    world.sandbox.fault({ botId: bot.id, method: "setWebhook", answer });
    const error = await problem(connect(bot));
    expect(error.status).toBe(502);
    expect(JSON.stringify(error)).not.toContain(bot.token.split(":")[1]);
    expect((await rowsOf(bot)).map(({ status }) => status)).toEqual(["removed"]);
    expect(world.sandbox.webhookInfo(bot.id).url).toBe("");
    expect((await connect(bot)).status).toBe("active");
  },
);

/** A connect whose process died after Telegram took the webhook, `ageS` ago. */
async function cutShort(bot: BotAccount, ageS: number): Promise<ConnectorView> {
  const made = await connect(bot);
  await world.system.db.query(
    `UPDATE connectors SET status = 'pending', webhook_url = NULL,
       register_after = now() + interval '2 min' - $2 * interval '1 s' WHERE id = $1`,
    [made.id, ageS],
  );
  return made;
}

const secretsOf = async (id: string) =>
  (
    await world.system.db.query<{ secret_hash: Buffer; previous_secret_hashes: Buffer[] }>(
      "SELECT secret_hash, previous_secret_hashes FROM connectors WHERE id = $1",
      [id],
    )
  )[0];

test("a connect that a crash cut short is taken up by the next try, with what was received", async () => {
  const bot = newBot();
  const made = await cutShort(bot, 121);
  const { db } = world.system;
  const chat = "INSERT INTO chats (workspace_id, connector_id, chat_id) VALUES ($1, $2, 5)";
  await db.query(chat, [world.workspaceId, made.id]);
  const before = await secretsOf(made.id);
  const next = await world.system.connectors.connect(world.workspaceId, {
    name: "Second try",
    botToken: bot.token,
  });
  expect(next).toMatchObject({
    id: made.id,
    webhookUrl: made.webhookUrl,
    name: "Second try",
    status: "active",
  });
  const after = await secretsOf(made.id);
  expect(after?.secret_hash).not.toEqual(before?.secret_hash);
  expect(after?.previous_secret_hashes).toEqual([]);
  const chats = await db.query("SELECT 1 FROM chats WHERE connector_id = $1", [made.id]);
  expect(chats).toHaveLength(1);
});

test("the next try fails too: the row, its updates and its first secret stay for the one after", async () => {
  const bot = newBot();
  const made = await cutShort(bot, 121);
  const before = await secretsOf(made.id);
  world.sandbox.fault({ botId: bot.id, method: "setWebhook", answer: "reset-after-effect" });
  expect((await problem(connect(bot))).status).toBe(502);
  expect((await secretsOf(made.id))?.previous_secret_hashes).toEqual([before?.secret_hash]);
  expect(await rowsOf(bot)).toMatchObject([{ id: made.id, status: "pending" }]);
});

test("a connect that may still be under way is not taken over, nor one of another workspace", async () => {
  const bot = newBot();
  const made = await cutShort(bot, 60);
  expect(await problem(connect(bot))).toMatchObject({ status: 409 });
  const stranger = await createWorkspace(world.system.db, "Stranger");
  const old = newBot();
  const theirs = await cutShort(old, 3_600);
  expect(await problem(connect(old, stranger.id))).toMatchObject({ status: 409 });
  for (const { id } of [made, theirs]) {
    expect((await secretsOf(id))?.previous_secret_hashes).toEqual([]);
  }
});

test("a bot that is disabled or removed while it is connected is not answered as connected", async () => {
  for (const end of ["disable", "remove"] as const) {
    const bot = newBot();
    const { connectors } = world.system;
    const error = await problem(
      connectAndWatch(bot, async (method) => {
        if (method !== "setWebhook") return;
        const [row] = await rowsOf(bot);
        if (end === "disable") await connectors.disable(row?.id ?? "", "Telegram refuses it.");
        else await connectors.remove(world.workspaceId, row?.id ?? "");
      }),
    );
    expect(error.status).toBe(409);
    expect((await rowsOf(bot)).map(({ status }) => status)).toEqual(["removed"]);
    await waitFor(() => world.sandbox.webhookInfo(bot.id).url === "");
  }
});

test("getMe cannot be asked: 502, and nothing is stored", async () => {
  const bot = newBot();
  world.sandbox.fault({ botId: bot.id, method: "getMe", answer: { status: 502 } });
  expect((await problem(connect(bot))).status).toBe(502);
  expect(await rowsOf(bot)).toEqual([]);
});

test("another workspace's connector is not found, whatever is asked of it", async () => {
  const { id } = await connect(newBot());
  const stranger = await createWorkspace(world.system.db, "Stranger");
  const { connectors } = world.system;
  expect(await connectors.get(stranger.id, id)).toBeNull();
  expect(await connectors.update(stranger.id, id, { name: "mine" })).toBeNull();
  expect(await connectors.remove(stranger.id, id)).toBeNull();
  expect(await connectors.list(stranger.id, { limit: 10 })).toEqual([]);
  expect((await connectors.get(world.workspaceId, id))?.name).toBe("Desk");
});

test("while a secret is replaced, both are accepted; in another process within a second", async () => {
  const { db } = world.system;
  const bot = await world.connectBot();
  const key = bot.webhookPath.split("/").at(-1) ?? "";
  const directory = createWebhookDirectory(db);
  expect((await directory.find(key))?.secretHashes).toHaveLength(2);
  expect(await deliver(world.url, bot, textUpdate(1, 9_001, 1, "old secret"))).toBe(200);
  await db.query("UPDATE connectors SET previous_secret_hashes = '{}' WHERE id = $1", [
    bot.connectorId,
  ]);
  await waitFor(async () => (await directory.find(key))?.secretHashes.length === 1, {
    timeoutMs: 1_000,
    what: "the other process",
  });
  await waitFor(
    async () => (await deliver(world.url, bot, textUpdate(2, 9_001, 2, "old secret"))) === 401,
    { timeoutMs: 1_000, what: "the receiver" },
  );
});

test("a lookup that takes its time holds no request while what is known is less than a second old", async () => {
  const { db } = world.system;
  const bot = await world.connectBot();
  const key = bot.webhookPath.split("/").at(-1) ?? "";
  let lookups = 0;
  let answer: () => void = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const slow: typeof db = {
    ...db,
    query: async (sql, params) => {
      if (++lookups > 1) await answered;
      return db.query(sql, params);
    },
  };
  const directory = createWebhookDirectory(slow);
  const found = await directory.find(key);
  expect(found?.connectorId).toBe(bot.connectorId);
  await waitFor(
    async () => {
      expect(await directory.find(key)).toEqual(found);
      return lookups > 1;
    },
    { timeoutMs: 700, what: "a second lookup, beside the requests" },
  );
  expect(await directory.find(key)).toEqual(found);
  expect(lookups).toBe(2);
  answer();
});

test("a removed connector's updates are refused within a second; a disabled one's are kept", async () => {
  const bot = await world.connectBot();
  await world.system.connectors.disable(bot.connectorId, "Telegram refuses the token.");
  expect(await deliver(world.url, bot, textUpdate(1, 9_002, 1, "still here"))).toBe(200);
  await world.system.connectors.remove(world.workspaceId, bot.connectorId);
  await waitFor(
    async () => (await deliver(world.url, bot, textUpdate(2, 9_002, 2, "too late"))) === 404,
    { timeoutMs: 1_000, what: "the receiver" },
  );
});

test("a new PUBLIC_URL: the webhooks that point elsewhere are registered again", async () => {
  const bot = newBot();
  const { id, webhookUrl } = await connect(bot);
  await world.system.db.query("UPDATE connectors SET webhook_url = 'https://old/x' WHERE id = $1", [
    id,
  ]);
  expect(await world.system.connectors.repointWebhooks()).toBe(1);
  expect((await world.system.connectors.get(world.workspaceId, id))?.webhookUrl).toBe(webhookUrl);
  expect(world.sandbox.webhookInfo(bot.id).url).toBe(webhookUrl);
  expect(await world.system.connectors.repointWebhooks()).toBe(0);
});
