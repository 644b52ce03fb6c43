import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import {
  GROUP,
  inGroup,
  message,
  privateChat,
  SUPERGROUP,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import { type AccountRule, addAccountRule, RuleTaken, removeAccountRule } from "./account-rules.ts";
import { createAccount, removeAccount } from "./accounts.ts";
import { changeContact, listContacts } from "./contact-list.ts";
import { listConversations } from "./conversation-list.ts";
import type { Scope } from "./effects.ts";
import { rekeyChat } from "./rekey-chat.ts";

let world: World;
let scope: Scope;
let acme = "";
let bolt = "";
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
  acme = await account("Acme");
  bolt = await account("Bolt");
});

async function account(name: string, of = scope): Promise<string> {
  const { workspaceId } = of;
  return (await world.db.transaction((tx) => createAccount(tx, { workspaceId, name }))).id;
}
const write = (id: number, rest: Wire = {}) =>
  world.ingest(scope, {
    message: message(1, "x", { from: user(id, rest), chat: privateChat(id) }),
  });
const add = (accountId: string, rule: AccountRule) =>
  world.db.transaction((tx) => addAccountRule(tx, { ...scope, accountId, rule }));
const chat = (chatId: number): AccountRule => ({
  kind: "chat",
  connectorId: scope.connectorId,
  chatId: String(chatId),
});
const domain = (name: string): AccountRule => ({ kind: "domain", domain: name });
async function set(userId: number, what: { domain?: string | null; accountId?: string | null }) {
  const [row] = await world.db.query<{ id: string }>(
    "SELECT id FROM contacts WHERE workspace_id = $1 AND telegram_user_id = $2",
    [scope.workspaceId, userId],
  );
  const request = { ...scope, id: row?.id ?? "", ...what };
  return world.db.transaction((tx) => changeContact(tx, request));
}
/** Of each chat, the account it shows and the accounts in whose list it is. */
async function shown(): Promise<Record<string, string | null>> {
  const { workspaceId } = scope;
  const { data } = await listConversations(world.db, { workspaceId });
  const names = new Map([
    [acme, "Acme"],
    [bolt, "Bolt"],
  ]);
  for (const [id, name] of names) {
    const listed = (await listConversations(world.db, { workspaceId, accountId: id })).data;
    expect(listed).toEqual(data.filter(({ accountId }) => names.get(accountId ?? "") === name));
  }
  return Object.fromEntries(
    data.map(({ chatId, accountId }) => [chatId, names.get(accountId ?? "") ?? accountId]),
  );
}

describe("which account a conversation belongs to", () => {
  test("rules are true of what is there, and of what comes after them", async () => {
    await write(1);
    await add(acme, chat(1));
    await add(acme, chat(2));
    await write(2);
    await write(3);
    expect(await shown()).toEqual({ 1: "Acme", 2: "Acme", 3: null });
  });

  test("its chat's rule, else the contact's own account, else that of their domain", async () => {
    for (const id of [1, 2, 3, 4]) await write(id);
    await add(acme, domain("acme.example"));
    for (const id of [1, 2, 3]) await set(id, { domain: "acme.example" });
    expect(await shown()).toEqual({ 1: "Acme", 2: "Acme", 3: "Acme", 4: null });
    await set(2, { accountId: bolt });
    await set(3, { accountId: acme });
    await add(bolt, chat(3));
    expect(await shown()).toEqual({ 1: "Acme", 2: "Bolt", 3: "Bolt", 4: null });
    await set(1, { domain: null });
    await set(2, { accountId: null });
    expect(await shown()).toEqual({ 1: null, 2: "Acme", 3: "Bolt", 4: null });
  });

  test("a group has it by its chat, under whichever of its ids, and not by who writes there", async () => {
    await world.link(scope, GROUP);
    await world.ingest(scope, { message: inGroup(1, "x", { from: user(1) }) });
    await set(1, { accountId: bolt });
    expect(await shown()).toEqual({ [GROUP]: null });
    const { id } = await add(acme, chat(GROUP));
    await world.db.transaction((tx) =>
      rekeyChat(tx, { ...scope, from: String(GROUP), to: String(SUPERGROUP) }),
    );
    expect(await shown()).toEqual({ [SUPERGROUP]: "Acme" });
    const remove = { ...scope, accountId: acme, id };
    expect(await world.db.transaction((tx) => removeAccountRule(tx, remove))).toBe(true);
    expect(await world.db.transaction((tx) => removeAccountRule(tx, remove))).toBe(false);
    expect(await shown()).toEqual({ [SUPERGROUP]: null });
    // The id from before is meant for the group as it is.
    expect(await add(bolt, chat(GROUP))).toMatchObject({ chatId: String(SUPERGROUP) });
    expect(await shown()).toEqual({ [SUPERGROUP]: "Bolt" });
  });

  test("a chat and a domain belong to one account", async () => {
    await add(acme, chat(1));
    await add(acme, domain("acme.example"));
    for (const rule of [chat(1), domain("acme.example")]) {
      await expect(add(bolt, rule)).rejects.toBeInstanceOf(RuleTaken);
      await expect(add(bolt, rule)).rejects.toMatchObject({ accountId: acme });
    }
    const results = await Promise.allSettled([acme, bolt].map((id) => add(id, chat(2))));
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("an account that is removed leaves its conversations and contacts behind", async () => {
    for (const id of [1, 2, 3]) await write(id);
    await add(acme, chat(1));
    await add(acme, domain("acme.example"));
    await set(2, { domain: "acme.example" });
    await set(3, { accountId: acme });
    const remove = { ...scope, id: acme };
    expect(await world.db.transaction((tx) => removeAccount(tx, remove))).toBe(true);
    expect(await world.db.transaction((tx) => removeAccount(tx, remove))).toBe(false);
    expect(await shown()).toEqual({ 1: null, 2: null, 3: null });
    expect(await world.count("account_rules", scope)).toBe(0);
  });

  test("nothing of another workspace can be pointed at", async () => {
    await write(1);
    const stranger = await world.newScope();
    const theirs = await account("Theirs", stranger);
    const missing = expect.objectContaining({ code: "23503" });
    await expect(add(theirs, chat(1))).rejects.toEqual(missing);
    await expect(set(1, { accountId: theirs })).rejects.toEqual(missing);
    const foreign: AccountRule = { ...chat(1), connectorId: stranger.connectorId } as AccountRule;
    await expect(add(acme, foreign)).rejects.toEqual(missing);
    const remove = { ...scope, id: theirs };
    expect(await world.db.transaction((tx) => removeAccount(tx, remove))).toBe(false);
  });
});

describe("contacts", () => {
  const people: Array<[number, Wire]> = [
    [1, { first_name: "Ada", last_name: "Lovelace", username: "countess" }],
    [2, { first_name: "Adam", username: "ada_fan" }],
    [3, { first_name: "Bob", last_name: "Adams" }],
    [4, { first_name: "Cy", username: "Adalbert" }],
    [5, { first_name: "100%", last_name: "_x\\" }],
    [6, { first_name: "Zoë" }],
    [7, { first_name: "Adaline", last_name: "Adair", username: "ada7" }],
  ];
  beforeEach(async () => {
    for (const [id, rest] of people) await write(id, rest);
  });

  const found = async (search?: string, limit = 2) => {
    const names: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof listContacts>> = await listContacts(world.db, {
        workspaceId: scope.workspaceId,
        search,
        limit,
        cursor,
      });
      expect(page.data.length).toBeLessThanOrEqual(limit);
      names.push(...page.data.map(({ firstName }) => firstName));
      cursor = page.nextCursor;
    } while (cursor !== null);
    return names;
  };

  test("are found by how their name, last name or username begins, each once, in order", async () => {
    for (const limit of [1, 2, 50]) {
      expect(await found("ada", limit)).toEqual(["Ada", "Cy", "Adaline", "Adam", "Bob"]);
    }
    expect(await found("ADA LOVE")).toEqual(["Ada"]);
    expect(await found("love")).toEqual(["Ada"]);
    expect(await found("@count")).toEqual(["Ada"]);
    expect(await found("ovelace")).toEqual([]);
  });

  test("nothing that is typed is a pattern", async () => {
    expect(await found("%")).toEqual([]);
    expect(await found("100%")).toEqual(["100%"]);
    expect(await found("_x\\")).toEqual(["100%"]);
    expect(await found("'; DROP TABLE contacts; --")).toEqual([]);
    expect(await found("Zoë")).toEqual(["Zoë"]);
  });

  test("are listed, the newest first, and never with a telephone number", async () => {
    expect(await found()).toEqual(["Adaline", "Zoë", "100%", "Cy", "Bob", "Adam", "Ada"]);
    await world.ingest(scope, {
      message: message(2, "", {
        text: undefined,
        from: user(1),
        chat: privateChat(1),
        contact: { phone_number: "+15550100", first_name: "Ada", user_id: 1 },
      }),
    });
    const page = await listContacts(world.db, scope);
    expect(JSON.stringify(page)).not.toContain("5550100");
  });

  test("of another workspace are not found, and a bot is nobody to look for", async () => {
    await write(8, { first_name: "Adabot", is_bot: true });
    expect(await found("adabot")).toEqual([]);
    const { workspaceId } = await world.newScope();
    expect((await listContacts(world.db, { workspaceId, search: "ada" })).data).toEqual([]);
  });
});
