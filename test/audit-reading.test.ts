import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { actAs, type ListedEntry, startAuditSealer } from "../src/audit/index.ts";
import { apiKeysCommand } from "../workers/api-keys-command.ts";
import { auditCommand } from "../workers/audit-command.ts";
import { startTestSystem, type TestBot, type TestSystem } from "./support/system.ts";

/** The audit log as it is read: by API, and from the terminal. */
const ADMIN = "the-administrator";
const LATER = new Date(Date.now() + 3_600_000).toISOString();

let world: TestSystem;
let bot: TestBot;
let keyId = "";

interface Page {
  data: ListedEntry[];
  nextCursor: string | null;
}

async function call(method: string, path: string, body?: unknown, key = world.apiKey) {
  const response = await fetch(world.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Page };
}

/** Who recorded an action last. */
async function newest(action: string) {
  const [row] = await world.system.db.query<{ actor_kind: string; actor_id: string }>(
    `SELECT actor_kind, actor_id FROM audit_entries
     WHERE workspace_id = $1 AND action = $2 ORDER BY id DESC LIMIT 1`,
    [world.workspaceId, action],
  );
  return row;
}

beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  bot = await world.connectBot();
  const [key] = await world.system.db.query<{ id: string }>(
    "SELECT id FROM api_keys WHERE workspace_id = $1",
    [world.workspaceId],
  );
  keyId = key?.id ?? "";
  const { connectorId } = bot;
  for (let n = 1; n <= 8; n++) {
    await call("POST", "/v1/messages", { connectorId, chatId: n, text: "x", sendAt: LATER });
    await call("PATCH", `/v1/connectors/${connectorId}`, { name: `Bot ${n}` });
  }
  await call("POST", "/v1/queues/delivery/pause", {}, ADMIN);
});
afterAll(() => world.close());

describe("GET /v1/audit", () => {
  const look = async (query: string, key?: string) =>
    (await call("GET", `/v1/audit?${query}`, undefined, key)).body;

  test("is filtered by action, actor, subject and time, and read in pages without a gap", async () => {
    const all = await look("limit=200");
    expect(all.data.length).toBeGreaterThan(15);
    const now = new Date().toISOString();
    const queries: Array<[string, (entry: ListedEntry) => boolean]> = [
      ["action=connector.added", ({ action }) => action === "connector.added"],
      [`actorId=${keyId}`, ({ actorId }) => actorId === keyId],
      [`subjectId=${bot.connectorId}`, ({ subjectId }) => subjectId === bot.connectorId],
      [`action=message.submitted&actorId=${keyId}`, ({ action }) => action === "message.submitted"],
      [`to=${all.data[3]?.at}`, ({ at }) => at < (all.data[3]?.at ?? "")],
      [`from=${all.data[3]?.at}&to=${now}`, ({ at }) => at >= (all.data[3]?.at ?? "") && at < now],
    ];
    for (const [query, isIt] of queries) {
      const wanted = all.data.filter(isIt).map(({ id }) => id);
      expect(wanted.length).toBeGreaterThan(0);
      const ids = (await look(`limit=200&${query}`)).data.map(({ id }) => id);
      // Each look is an entry itself.
      expect(ids.filter((id) => all.data.some((known) => known.id === id))).toEqual(wanted);
    }
    const paged: string[] = [];
    const to = all.data[0]?.at ?? "";
    for (let cursor = ""; ; ) {
      const page = await look(`limit=4&to=${to}${cursor && `&cursor=${cursor}`}`);
      paged.push(...page.data.map(({ id }) => id));
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    expect(paged).toEqual(all.data.filter(({ at }) => at < to).map(({ id }) => id));
  });

  test.each(["action=nothing.done", "cursor=abc", "from=yesterday", "limit=0"])(
    "%s: 400",
    async (query) => {
      expect((await call("GET", `/v1/audit?${query}`)).status).toBe(400);
    },
  );

  test("the administrator sees the installation's own, or a workspace's", async () => {
    const own = await look("limit=200", ADMIN);
    expect(own.data.every(({ workspaceId }) => workspaceId === null)).toBe(true);
    expect(own.data.map(({ action }) => action)).toContain("queue.paused");
    const theirs = await look(`workspaceId=${world.workspaceId}`, ADMIN);
    expect(theirs.data.every(({ workspaceId }) => workspaceId === world.workspaceId)).toBe(true);
    expect(await newest("audit.listed")).toMatchObject({ actor_kind: "admin" });
  });
});

describe("from the terminal", () => {
  const cli = async (run: (print: (value: unknown) => void) => Promise<unknown>) => {
    const printed: string[] = [];
    const asOperator = () =>
      run((value) => void printed.push(typeof value === "string" ? value : JSON.stringify(value)));
    await actAs({ kind: "admin", id: "cli" }, null, asOperator);
    return printed;
  };
  const key = (...args: string[]) => cli((print) => apiKeysCommand(world.system, args, print));
  const audit = (...args: string[]) => cli((print) => auditCommand(world.system, args, print));

  test("heliograph key: makes, lists and revokes; an empty or wrong argument changes nothing", async () => {
    const { workspaceId } = world;
    const create = ["create", "--workspace", workspaceId];
    const [made] = await key(...create, "--scopes", "read,send", "--expires", "90d");
    const { id, apiKey, expiresAt } = JSON.parse(made ?? "") as Record<string, string>;
    expect(apiKey).toMatch(/^hgk_/);
    const days = (Date.parse(expiresAt ?? "") - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(90);
    expect(await newest("key.created")).toMatchObject({ actor_kind: "admin", actor_id: "cli" });
    const listed = await key("list", "--workspace", workspaceId);
    expect(listed.find((line) => line.startsWith(String(id)))).toContain("read,send");
    expect(await key("revoke", String(id))).toEqual([`key ${id}: revoked`]);
    await expect(key("revoke", String(id))).rejects.toThrow("there is no key");
    for (const wrong of [
      ["create", "--workspace", "", "--scopes", "read", "--expires", "never"],
      [...create, "--scopes", "read,all", "--expires", "never"],
      [...create, "--scopes", "", "--expires", "never"],
      [...create, "--scopes", "read"],
      [...create, "--scopes", "read", "--expires", "0d"],
      [...create, "--scopes", "read", "--expires", "2020-01-01"],
      ["revoke"],
      ["nonsense"],
    ]) {
      await expect(key(...wrong)).rejects.toThrow();
    }
  });

  test("heliograph audit: verifies every chain, and exports one", async () => {
    const { db, keyring, log } = world.system;
    const sealer = startAuditSealer({ db, keyring, log, tickMs: 0 });
    await sealer.runOnce();
    const verdicts = await audit("verify");
    expect(verdicts.filter((line) => !line.startsWith("ok "))).toEqual([]);
    expect(verdicts.find((line) => line.includes("installation"))).toMatch(
      /head \d+:[0-9a-f]{64}$/,
    );
    expect(verdicts.find((line) => line.includes(world.workspaceId))).toMatch(/ \d\d+ entries/);
    const exported = await audit("export", "--workspace", world.workspaceId);
    expect(exported.at(-1)).toMatch(/^\{"head":/);
    expect(await newest("audit.exported")).toMatchObject({ actor_id: "cli" });
    for (const wrong of [["export"], ["verify", "--expect", "1"], ["erase"]]) {
      await expect(audit(...wrong)).rejects.toThrow();
    }
  });
});
