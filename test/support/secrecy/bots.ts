import { createDecipheriv, randomBytes, randomInt } from "node:crypto";
import { parseEncryptionKeys } from "../../../src/platform/encryption-keys.ts";
import { createKeyring } from "../../../src/platform/index.ts";
import type { SecrecyWorld } from "./world.ts";

/** What a team does about its bots, and what goes wrong in it. */

export interface Bot {
  id: number;
  token: string;
  connectorId: string;
}

const newToken = () =>
  `${randomInt(10_000_000, 99_999_999)}:${randomBytes(26).toString("base64url")}`;

async function workspaceOf({ database }: SecrecyWorld): Promise<string> {
  const [workspace] = await database.db.query<{ id: string }>(
    "SELECT id FROM workspaces ORDER BY created_at LIMIT 1",
  );
  return workspace?.id ?? "";
}

function createBot({ sandbox, hideToken }: SecrecyWorld) {
  const username = `s${randomBytes(5).toString("hex")}_bot`;
  const account = sandbox.createBot({
    name: "Desk",
    username,
    canReadAllGroupMessages: true,
    inline: true,
  });
  hideToken(account.token);
  return account;
}

/** A workspace of the administrator's, and keys of all kinds: used, listed, revoked, wrong. */
export async function makeWorkspace(world: SecrecyWorld): Promise<void> {
  const { adminToken, hideKey, call } = world;
  const admin = { key: adminToken };
  const body = { name: "Secrets" };
  const made = await call("POST", "/v1/workspaces", { ...admin, body, shows: "API key" });
  const { id, apiKey } = made.json as { id: string; apiKey: string };
  hideKey(apiKey);
  world.setKey(apiKey);
  const printed = await world.cli(["workspace", "create", "Another"], { shows: "API key" });
  const another = JSON.parse(printed) as { apiKey: string };
  hideKey(another.apiKey);
  const scopes = ["read"];
  const grant = { body: { name: "To read", scopes }, shows: "API key" } as const;
  const granted = (await call("POST", "/v1/keys", grant)).json as { id: string; apiKey: string };
  hideKey(granted.apiKey);
  await call("GET", "/v1/keys");
  await call("GET", `/v1/keys?workspaceId=${id}`, admin);
  // One that may not, one of another workspace, one that is revoked, and all but right ones.
  await call("POST", "/v1/keys", { ...grant, key: granted.apiKey, shows: "nothing" });
  await call("DELETE", `/v1/keys/${granted.id}`, { key: another.apiKey });
  await call("DELETE", `/v1/keys/${granted.id}`);
  for (const key of [`${apiKey}x`, apiKey.slice(0, -1), granted.apiKey, `${adminToken}x`]) {
    await call("GET", "/v1/connectors", { key });
  }
}

/** Tokens that are refused, in every place where one may end up by mistake. */
export async function sendRefusedTokens(world: SecrecyWorld): Promise<number[]> {
  const { call, hideToken } = world;
  const token = newToken();
  const revoked = createBot(world);
  world.sandbox.revokeToken(revoked.id);
  hideToken(token);
  const connect = (botToken: unknown) =>
    call("POST", "/v1/connectors", { body: { name: "Desk", botToken } });
  const raw = (body: string, headers = {}) => call("POST", "/v1/connectors", { body, headers });
  const given = [
    await connect(token),
    await connect(revoked.token),
    await connect(`${token}\n`),
    await connect(`${token}é`),
    await connect([token]),
    await connect({ [token]: token }),
    await connect(token.repeat(20_000)),
    await connect(token.repeat(200_000)),
    await raw(JSON.stringify({ name: "Desk", botToken: token, [token]: token })),
    await raw(`{"botToken":"${token}"`),
    await raw(`botToken=${token}`, { "content-type": "application/x-www-form-urlencoded" }),
    await raw("{}", { authorization: `Bearer ${token}` }),
    await raw("{}", { authorization: `Basic ${token}` }),
    await call("GET", `/v1/connectors/${token}`),
    await call("GET", `/v1/connectors?cursor=${token}`),
    await call("GET", `/v1/connectors?${token}=1`),
    await call("GET", `/v1/${token}`),
    await call("POST", `/webhooks/telegram/${token}`, { body: "{}" }),
  ];
  await world.cli(["connector", "add", "--workspace", await workspaceOf(world), "--name", "Desk"], {
    env: { BOT_TOKEN: token },
    code: 1,
  });
  return given.map(({ status }) => status);
}

/** Telegram is slow, down or says nonsense while a bot is connected; then all is well. */
export async function connectBot(world: SecrecyWorld): Promise<Bot> {
  const { call, sandbox } = world;
  const account = createBot(world);
  const body = {
    name: "Desk",
    botToken: account.token,
    debug: { level: "debug", detailedLogs: true, apiTimeout: 1, retryAttempts: 3 },
  };
  const connect = (headers = {}) => call("POST", "/v1/connectors", { body, headers });
  const limited = { status: 429, error_code: 429, parameters: { retry_after: 1 } };
  for (const [method, answer] of [
    ["getMe", "html"],
    ["getMe", { status: 502 }],
    ["getMe", limited],
    ["getMe", "reset-before-effect"],
    ["setWebhook", limited],
    ["setWebhook", { status: 400, description: "Bad Request: bad webhook" }],
  ] as const) {
    sandbox.fault({ botId: account.id, method, answer });
    const { status, json } = await connect();
    const { id } = (json ?? {}) as { id?: string };
    if (status === 201) await call("DELETE", `/v1/connectors/${id}`);
    sandbox.clearFaults();
  }
  const headers = { "idempotency-key": "once" };
  const connected = await connect(headers);
  if (connected.status !== 201) throw new Error(`not connected: ${connected.text}`);
  const connector = connected.json as { id: string };
  await connect(headers);
  await connect();
  await call("POST", "/v1/connectors", { body: { ...body, name: "Other" }, headers });
  const path = `/v1/connectors/${connector.id}`;
  await call("PATCH", path, { body: { description: "The help desk", maxMessageLength: 4_000 } });
  await call("GET", path);
  await call("GET", "/v1/connectors");
  await call("POST", `${path}/test`);
  return { id: account.id, token: account.token, connectorId: connector.id };
}

/** The token is revoked, noticed by a send, replaced by wrong ones and by the right one. */
export async function rotate(world: SecrecyWorld, bot: Bot): Promise<void> {
  const { call, sandbox } = world;
  const path = `/v1/connectors/${bot.connectorId}`;
  const replace = (botToken: string) => call("POST", `${path}/token`, { body: { botToken } });
  const { token } = sandbox.revokeToken(bot.id);
  world.hideToken(token);
  // It names the chats that the bot is in.
  const test = () => call("POST", `${path}/test`, { shows: "words" });
  await test();
  for (const wrong of [bot.token, `${token}\n`, newToken(), createBot(world).token]) {
    world.hideToken(wrong.trim());
    await replace(wrong);
  }
  const replaced = await replace(token);
  if (replaced.status !== 200) throw new Error(`not rotated: ${replaced.text}`);
  await test();
}

/** From a terminal: a bot connected under the older key, wrapped anew, rotated, disconnected. */
export async function careFromTerminal(world: SecrecyWorld): Promise<void> {
  const { cli, encryptionKeys } = world;
  const [newest = "", oldest = ""] = encryptionKeys.split(",");
  const account = createBot(world);
  const added = await cli(
    ["connector", "add", "--workspace", await workspaceOf(world), "--name", "From a terminal"],
    { env: { BOT_TOKEN: account.token, ENCRYPTION_KEYS: oldest } },
  );
  const { id } = JSON.parse(added) as { id: string };
  await hideDataKeys(world);
  // It lacks the key of that bot, and says so.
  const lacking = await world.start("ingest", { encryptionKeys: newest });
  await world.stop(lacking);
  await cli(["keys", "rotate"]);
  const { token } = world.sandbox.revokeToken(account.id);
  world.hideToken(token);
  await Promise.all([cli(["connector", "list"]), cli(["connector", "test", id], { code: 1 })]);
  await cli(["connector", "rotate", id], { env: { BOT_TOKEN: token } });
  await cli(["connector", "remove", id]);
}

/** One bot leaves as it should, another with a token that Telegram refuses. */
export async function disconnect(world: SecrecyWorld): Promise<void> {
  const { call } = world;
  for (const isRevoked of [false, true]) {
    const { id, token } = createBot(world);
    const body = { name: "Leaving", botToken: token };
    const { json } = await call("POST", "/v1/connectors", { body });
    await hideDataKeys(world);
    if (isRevoked) world.hideToken(world.sandbox.revokeToken(id).token);
    await call("DELETE", `/v1/connectors/${(json as { id: string }).id}`);
  }
}

/** Tokens, and the keys of files. */
const SEALED = `
  SELECT workspace_id, 'connectors' AS of_table, 'token_sealed' AS of_column, id, token_sealed AS sealed
  FROM connectors WHERE token_sealed IS NOT NULL
  UNION ALL
  SELECT workspace_id, 'stored_files', 'key_sealed', id, key_sealed FROM stored_files`;

/**
 * The keys that records are sealed with, as they are now: each is in its record, wrapped by a key of
 * ENCRYPTION_KEYS (src/platform/keyring.ts); and those of files, which are what is sealed.
 */
export async function hideDataKeys(world: SecrecyWorld): Promise<void> {
  const rows = await world.database.owner.query<{
    workspace_id: string;
    of_table: string;
    of_column: string;
    id: string;
    sealed: Buffer;
  }>(SEALED);
  const keyring = createKeyring(parseEncryptionKeys(world.encryptionKeys));
  const keys = new Map(
    world.encryptionKeys.split(",").map((entry) => {
      const [version = "", key = ""] = entry.split(":");
      return [Number(version.slice(1)), Buffer.from(key, "base64")];
    }),
  );
  for (const {
    workspace_id: workspaceId,
    of_table: table,
    of_column: column,
    id,
    sealed,
  } of rows) {
    const key = keys.get(sealed.readUInt16BE(1));
    if (key === undefined) throw new Error("sealed by a key that is not known");
    const place = [workspaceId, table, column, id];
    const dataKey = unwrap(key, sealed, place);
    world.hide("secret", "a data key", dataKey);
    if (table !== "stored_files") continue;
    const fileKey = keyring.open(sealed, { workspaceId, table, column, row: id });
    world.hide("secret", "a file's key", fileKey);
  }
}

function unwrap(key: Buffer, sealed: Buffer, place: string[]): Buffer {
  const [header, nonce] = [sealed.subarray(0, 3), sealed.subarray(3, 15)];
  const [wrapped, tag] = [sealed.subarray(15, 47), sealed.subarray(47, 63)];
  const parts = [Buffer.from("heliograph key"), header, ...place.map((part) => Buffer.from(part))];
  const associated = parts.flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  decipher.setAAD(Buffer.concat(associated)).setAuthTag(tag);
  return Buffer.concat([decipher.update(wrapped), decipher.final()]);
}
