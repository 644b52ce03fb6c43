import { randomBytes } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { NO_DOWNLOADS } from "../../test/support/no-downloads.ts";
import {
  deliver,
  startTestSystem,
  type TestBot,
  type TestSystem,
  textUpdate,
} from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { recordAudit } from "../audit/index.ts";
import { type BotApi, createBotApiFactory } from "../telegram/index.ts";
import { createRotation } from "./rotate-token.ts";
import { createWorkspace } from "./workspaces.ts";

let world: TestSystem;
beforeAll(async () => {
  world = await startTestSystem();
});
afterAll(() => world.close());
afterEach(() => world.sandbox.clearFaults());

interface Row {
  status: string;
  token_sealed: Buffer;
  secret_hash: Buffer;
  previous_secret_hashes: Buffer[];
  webhook_url: string | null;
}

async function rowOf(id: string): Promise<Row> {
  const [row] = await world.system.db.query<Row>("SELECT * FROM connectors WHERE id = $1", [id]);
  if (row === undefined) throw new Error("no such connector");
  return row;
}

const rotate = (id: string, token: string, workspaceId = world.workspaceId) =>
  world.system.connectors.rotate(workspaceId, id, token);

/** The token that is in use, as the clients of this process have it at once. */
async function tokenInUse(id: string): Promise<string> {
  const { token_sealed } = await rowOf(id);
  const place = {
    workspaceId: world.workspaceId,
    table: "connectors",
    column: "token_sealed",
    row: id,
  };
  return world.system.keyring.open(token_sealed, place).toString();
}

/** A person the bot may write to. */
async function someoneOf(bot: TestBot): Promise<string> {
  const person = world.sandbox.createUser({ firstName: "Ada" });
  await world.sandbox.send({ from: person.id, chatId: person.id, botId: bot.id, text: "hello" });
  return String(person.id);
}

async function send(bot: TestBot, chatId: string, more: object = {}): Promise<string> {
  const body = { connectorId: bot.connectorId, chatId, text: "hi", ...more };
  const answer = await world.api("POST", "/v1/messages", body);
  return (answer.body as { id: string }).id;
}

const stateOf = async (id: string) =>
  ((await world.api("GET", `/v1/messages/${id}`)).body as { state: string }).state;

/** A rotation whose calls to Telegram are watched, and may be answered by the test. */
function watchedRotation(
  before: (method: string) => Promise<void>,
  apiRoot = world.system.config.telegramApiRoot,
  after: (method: string) => Promise<void> = async () => {},
) {
  const { db, keyring, log } = world.system;
  const botApi = createBotApiFactory({ apiRoot });
  return createRotation({
    db,
    keyring,
    log,
    publicUrl: world.url,
    commands: [],
    onReplaced: async () => {},
    audit: recordAudit,
    botApi: (token): BotApi => ({
      ...NO_DOWNLOADS,
      call: async (method, params, options) => {
        await before(method);
        const answer = await botApi(token).call<never>(method, params, options);
        await after(method);
        return answer;
      },
    }),
  });
}

describe("a token is replaced", () => {
  test("the new one is used at once, the old one is nowhere, the webhook has a fresh secret", async () => {
    const bot = await world.connectBot();
    const before = await rowOf(bot.connectorId);
    const { token } = world.sandbox.revokeToken(bot.id);
    const rotated = await rotate(bot.connectorId, token);
    expect(rotated).toMatchObject({ id: bot.connectorId, status: "active", warnings: [] });
    const after = await rowOf(bot.connectorId);
    expect(await tokenInUse(bot.connectorId)).toBe(token);
    expect(after.secret_hash).not.toEqual(before.secret_hash);
    expect(after.previous_secret_hashes).toEqual([]);
    expect(after.webhook_url).toBe(before.webhook_url);
    const rows = await world.system.db.query<{ row: string }>(
      "SELECT c::text AS row FROM connectors c WHERE id = $1",
      [bot.connectorId],
    );
    expect(rows[0]?.row).not.toContain(before.token_sealed.toString("hex"));
    await waitFor(
      async () => (await deliver(world.url, bot, textUpdate(1, 9_001, 1, "old secret"))) === 401,
      { what: "the old secret to be refused" },
    );
  });

  test("over the API; a token that is none is not even tried", async () => {
    const bot = await world.connectBot();
    const { token } = world.sandbox.revokeToken(bot.id);
    const path = `/v1/connectors/${bot.connectorId}/token`;
    const before = await rowOf(bot.connectorId);
    for (const botToken of [
      `${token}\n`,
      `${token}\nX-Evil: 1`,
      ` ${token}`,
      token.replace(":", "："),
      `${token}é`,
      `${bot.id}:${"a".repeat(101)}`,
      "",
      null,
      7,
    ]) {
      expect((await world.api("POST", path, { botToken })).status).toBe(400);
    }
    expect((await world.api("POST", path, { botToken: "9".repeat(10_000_000) })).status).toBe(413);
    expect(await rowOf(bot.connectorId)).toEqual(before);
    const answer = await world.api("POST", path, { botToken: token });
    expect(answer).toMatchObject({ status: 200, body: { status: "active", warnings: [] } });
    expect(JSON.stringify(answer.body)).not.toContain(token.split(":")[1]);
  });

  test("another bot's token: 422, and nothing has changed", async () => {
    const bot = await world.connectBot();
    const other = world.sandbox.createBot({
      name: "Other",
      username: `b${randomBytes(4).toString("hex")}_bot`,
    });
    const before = await rowOf(bot.connectorId);
    await expect(rotate(bot.connectorId, other.token)).rejects.toMatchObject({
      status: 422,
      detail: expect.stringContaining("another bot"),
    });
    expect(await rowOf(bot.connectorId)).toEqual(before);
  });

  test("a refused token, Telegram failing or answering HTML at getMe: nothing has changed", async () => {
    const bot = await world.connectBot();
    const before = await rowOf(bot.connectorId);
    const wrong = `${bot.id}:${"x".repeat(35)}`;
    await expect(rotate(bot.connectorId, wrong)).rejects.toMatchObject({ status: 422 });
    for (const answer of [{ status: 502 }, "reset-before-effect"] as const) {
      world.sandbox.fault({ botId: bot.id, method: "getMe", answer });
      await expect(rotate(bot.connectorId, bot.token)).rejects.toMatchObject({ status: 502 });
    }
    const html = http.createServer((_request, response) => {
      response.setHeader("content-type", "text/html").end("<h1>Welcome</h1>");
    });
    await new Promise<void>((resolve) => html.listen(0, "127.0.0.1", resolve));
    const { port } = html.address() as AddressInfo;
    const rotation = watchedRotation(async () => {}, `http://127.0.0.1:${port}`);
    await expect(rotation(world.workspaceId, bot.connectorId, bot.token)).rejects.toMatchObject({
      status: 502,
    });
    html.closeAllConnections();
    html.close();
    expect(await rowOf(bot.connectorId)).toEqual(before);
  });

  test("of another workspace, removed, or never there: nothing is found", async () => {
    const bot = await world.connectBot();
    const stranger = await createWorkspace(world.system.db, "Stranger");
    expect(await rotate(bot.connectorId, bot.token, stranger.id)).toBeNull();
    await world.system.connectors.remove(world.workspaceId, bot.connectorId);
    expect(await rotate(bot.connectorId, bot.token)).toBeNull();
  });
});

describe("Telegram at setWebhook", () => {
  test.each([
    [
      "429",
      { status: 429, error_code: 429, description: "Too Many", parameters: { retry_after: 30 } },
    ],
    ["a failure", { status: 502 }],
    ["a reset", "reset-before-effect"],
  ] as const)(
    "%s: the new token is in use, the answer says what is missing, and the watch mends it",
    async (_name, answer) => {
      const bot = await world.connectBot();
      const { token } = world.sandbox.revokeToken(bot.id);
      world.sandbox.fault({ botId: bot.id, method: "setWebhook", answer });
      const rotated = await rotate(bot.connectorId, token);
      expect(rotated).toMatchObject({ status: "active", webhookUrl: null });
      expect(rotated?.warnings.join(" ")).toMatch(
        /not registered at the moment.*new token is in use/s,
      );
      expect(await tokenInUse(bot.connectorId)).toBe(token);
      const shown = await world.system.connectors.get(world.workspaceId, bot.connectorId);
      expect(shown?.warnings).toHaveLength(1);
      world.sandbox.clearFaults();
      // As if the claim had run out: nobody else registers it any more.
      await world.system.db.query("UPDATE connectors SET register_after = now() WHERE id = $1", [
        bot.connectorId,
      ]);
      expect(await world.system.connectors.repointWebhooks()).toBe(1);
      expect(await rowOf(bot.connectorId)).toMatchObject({
        status: "active",
        previous_secret_hashes: [],
      });
      expect((await rowOf(bot.connectorId)).webhook_url).not.toBeNull();
    },
  );

  test("a known no frees the claim, so that the watch need not wait for it to run out", async () => {
    const bot = await world.connectBot();
    const answer = { status: 400, error_code: 400, description: "Bad Request: bad webhook" };
    world.sandbox.fault({ botId: bot.id, method: "setWebhook", answer });
    await rotate(bot.connectorId, bot.token);
    const [row] = await world.system.db.query<{ soon: boolean }>(
      "SELECT register_after < now() + interval '10 s' AS soon FROM connectors WHERE id = $1",
      [bot.connectorId],
    );
    expect(row).toEqual({ soon: true });
  });

  test("revoked between getMe and setWebhook: 422, and the connector says that it has no good token", async () => {
    const bot = await world.connectBot();
    const { token } = world.sandbox.revokeToken(bot.id);
    const rotation = watchedRotation(async (method) => {
      if (method === "setWebhook") world.sandbox.revokeToken(bot.id);
    });
    await expect(rotation(world.workspaceId, bot.connectorId, token)).rejects.toMatchObject({
      status: 422,
      detail: expect.stringContaining("disabled"),
    });
    expect((await rowOf(bot.connectorId)).status).toBe("disabled");
  });
});

describe("meanwhile", () => {
  test("somebody registers the webhook just now: the token is replaced, their secret stays", async () => {
    const bot = await world.connectBot();
    const before = await rowOf(bot.connectorId);
    await world.system.db.query(
      "UPDATE connectors SET register_after = now() + interval '1 min' WHERE id = $1",
      [bot.connectorId],
    );
    const { token } = world.sandbox.revokeToken(bot.id);
    const rotated = await rotate(bot.connectorId, token);
    expect(rotated?.warnings.join()).toMatch(/not registered at the moment/);
    expect(await tokenInUse(bot.connectorId)).toBe(token);
    expect((await rowOf(bot.connectorId)).secret_hash).toEqual(before.secret_hash);
  });

  test("two at once: the token is in use, and the secret that Telegram has is accepted", async () => {
    const bot = await world.connectBot();
    const { token } = world.sandbox.revokeToken(bot.id);
    const answers = await Promise.all([1, 2, 3].map(() => rotate(bot.connectorId, token)));
    expect(answers.map((answer) => answer?.status)).toEqual(["active", "active", "active"]);
    expect(await tokenInUse(bot.connectorId)).toBe(token);
    const person = await someoneOf(bot);
    await waitFor(async () => {
      const path = `/v1/conversations?connectorId=${bot.connectorId}&chatId=${person}`;
      return ((await world.api("GET", path)).body as { data: unknown[] }).data.length === 1;
    });
  });

  test("another token comes first: it stays, and who gave the other is told", async () => {
    const bot = await world.connectBot();
    let newest = "";
    const rotation = watchedRotation(
      async () => {},
      undefined,
      async (method) => {
        if (method !== "getMe") return;
        newest = world.sandbox.revokeToken(bot.id).token;
        await rotate(bot.connectorId, newest);
      },
    );
    await expect(rotation(world.workspaceId, bot.connectorId, bot.token)).rejects.toMatchObject({
      status: 409,
    });
    expect(await tokenInUse(bot.connectorId)).toBe(newest);
    expect((await rowOf(bot.connectorId)).status).toBe("active");
  });

  test("removed while it is replaced: it stays removed, without a token and without a webhook", async () => {
    const bot = await world.connectBot();
    const rotation = watchedRotation(async (method) => {
      if (method !== "setWebhook") return;
      await world.system.connectors.remove(world.workspaceId, bot.connectorId);
    });
    expect(await rotation(world.workspaceId, bot.connectorId, bot.token)).toBeNull();
    expect(await rowOf(bot.connectorId)).toMatchObject({ status: "removed", token_sealed: null });
    await waitFor(() => world.sandbox.webhookInfo(bot.id).url === "");
  });

  test("a connector that is still being connected is left to who connects it", async () => {
    const bot = await world.connectBot();
    const age = (seconds: number) =>
      world.system.db.query(
        `UPDATE connectors SET status = 'pending', webhook_url = NULL,
           register_after = now() + interval '2 min' - $2 * interval '1 s' WHERE id = $1`,
        [bot.connectorId, seconds],
      );
    await age(60);
    await expect(rotate(bot.connectorId, bot.token)).rejects.toMatchObject({ status: 409 });
    await age(121);
    expect(await rotate(bot.connectorId, bot.token)).toMatchObject({
      status: "active",
      warnings: [],
    });
  });
});

describe("what waits to be sent", () => {
  test("goes on with the new token at once; what is for later keeps its time", async () => {
    const bot = await world.connectBot();
    const person = await someoneOf(bot);
    const { token } = world.sandbox.revokeToken(bot.id);
    const later = await send(bot, person, { sendAt: new Date(Date.now() + 3_600_000) });
    const waiting = await Promise.all([1, 2, 3].map(() => send(bot, person)));
    await waitFor(async () => (await rowOf(bot.connectorId)).status === "disabled", {
      what: "the refused token to be noticed",
    });
    await rotate(bot.connectorId, token);
    for (const id of waiting) {
      await waitFor(async () => (await stateOf(id)) === "sent", {
        timeoutMs: 15_000,
        what: "a message to be sent without waiting a minute",
      });
    }
    expect(await stateOf(later)).toBe("queued");
    expect((await rowOf(bot.connectorId)).status).toBe("active");
  });

  test("a refusal of the old token that is reported late does not disable the new one", async () => {
    const bot = await world.connectBot();
    const { botApis, connectors } = world.system;
    const { token } = world.sandbox.revokeToken(bot.id);
    const api = await botApis.forConnector(bot.connectorId);
    await expect(api.call("getMe")).rejects.toMatchObject({ kind: "unauthorized" });
    await rotate(bot.connectorId, token);
    await connectors.disable(bot.connectorId, "Telegram refuses the bot's token.");
    expect((await rowOf(bot.connectorId)).status).toBe("active");
    // The client that still has the old token is refused, and goes on with the new one.
    expect(await api.call("getMe")).toMatchObject({ id: bot.id });
    world.sandbox.revokeToken(bot.id);
    await expect(api.call("getMe")).rejects.toMatchObject({ kind: "unauthorized" });
    await connectors.disable(bot.connectorId, "Telegram refuses the bot's token.");
    expect((await rowOf(bot.connectorId)).status).toBe("disabled");
  });
});
