import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { accessWorld, everythingOf } from "../../test/support/access-world.ts";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import {
  edited,
  message,
  PERSON,
  pressed,
  privateChat,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { removePerson } from "../people/index.ts";
import type { Scope } from "./effects.ts";

let world: World;
let access: ReturnType<typeof accessWorld>;
let scope: Scope;
let personId: string;
let token: string;
let lastNumber = 0;

beforeAll(async () => {
  world = await createWorld();
  access = accessWorld(world);
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
  await access.set(scope, { level: "members" });
  personId = await access.person(scope);
  token = await access.linkOf(scope, personId);
  world.replies.length = 0;
});

const ANOTHER = 2_002;
const GONE = /^This link is not valid any more/;
const from = (id: number) => ({ from: user(id), chat: privateChat(id) });
const opens = (who: number, rest: Wire = {}, with_ = token): Wire => {
  lastNumber++;
  return { message: message(lastNumber, `/start ${with_}`, { ...from(who), ...rest }) };
};
const presses = (who: number, data: string, chat = privateChat(who)): Wire => ({
  callback_query: pressed(data, { from: user(who), message: { message_id: 7, date: 1, chat } }),
});
const said = () => world.replies.map(({ text }) => text);

/** Opens the link and answers the data of the two buttons. */
async function offered(
  who: number,
  of = scope,
  with_ = token,
): Promise<{ yes: string; no: string }> {
  await world.ingest(of, opens(who, {}, with_));
  const reply = world.replies.at(-1);
  const [yes, no] = reply?.kind === "message" ? (reply.buttons ?? []).flat() : [];
  return { yes: yes?.data ?? "", no: no?.data ?? "" };
}

async function boundTo(id = personId): Promise<string | null> {
  const [row] = await world.db.query<{ telegram_user_id: string | null }>(
    "SELECT telegram_user_id FROM people WHERE id = $1",
    [id],
  );
  return row?.telegram_user_id ?? null;
}

describe("an account that opens a person's link", () => {
  test("is asked, says yes, and may talk from then on; the log says which account it was", async () => {
    const { yes, no } = await offered(PERSON);
    expect(said()).toEqual([
      "This connects your Telegram account with Ada Lovelace at Workspace. Is that you?",
    ]);
    for (const data of [yes, no]) expect(Buffer.byteLength(data)).toBeLessThanOrEqual(64);
    expect(await boundTo()).toBeNull();
    await world.ingest(scope, presses(PERSON, yes));
    expect(said().slice(1)).toEqual([
      "You are connected.",
      "You are connected: Ada Lovelace at Workspace.",
    ]);
    expect(await boundTo()).toBe(String(PERSON));
    expect(await access.audited(scope, "person.bound")).toEqual([
      {
        actor_kind: "telegram_user",
        actor_id: String(PERSON),
        subject_id: personId,
        details: { connectorId: scope.connectorId },
      },
    ]);
    await world.ingest(scope, { message: message(500, "hello") });
    expect((await world.texts(scope)).flat()).toContain("hello");
  });

  test("all in one batch comes to the same", async () => {
    const { yes } = await offered(PERSON);
    await world.ingest(scope, opens(PERSON), presses(PERSON, yes), { message: message(501, "hi") });
    expect(await boundTo()).toBe(String(PERSON));
    expect((await world.texts(scope)).flat()).toContain("hi");
  });

  test("says no: nothing is changed, and it may be asked again", async () => {
    const { no, yes } = await offered(PERSON);
    await world.ingest(scope, presses(PERSON, no), presses(PERSON, yes));
    expect(said().slice(1)).toEqual([
      "All right, nothing was changed.",
      expect.stringMatching(GONE),
    ]);
    expect(await boundTo()).toBeNull();
    await world.ingest(scope, presses(PERSON, (await offered(PERSON)).yes));
    expect(await boundTo()).toBe(String(PERSON));
  });

  test("says no and opens it again at once: it was asked, so it may say yes later", async () => {
    const { no, yes } = await offered(PERSON);
    await world.ingest(scope, presses(PERSON, no), opens(PERSON));
    await world.ingest(scope, presses(PERSON, yes));
    expect(await boundTo()).toBe(String(PERSON));
  });

  test("is told the truth when it presses again, or opens the link again", async () => {
    const { yes } = await offered(PERSON);
    await world.ingest(scope, presses(PERSON, yes));
    world.replies.length = 0;
    await world.ingest(scope, presses(PERSON, yes), opens(PERSON));
    expect(said()).toEqual(["You are connected.", "You are connected: Ada Lovelace at Workspace."]);
    expect(await access.audited(scope, "person.bound")).toHaveLength(1);
  });

  test("takes the place of the account that was this person before", async () => {
    await world.db.query(
      "UPDATE people SET telegram_user_id = 77, bound_at = now() WHERE id = $1",
      [personId],
    );
    const { yes } = await offered(PERSON);
    await world.ingest(scope, presses(PERSON, yes), {
      message: message(502, "was me", from(77)),
    });
    expect(await boundTo()).toBe(String(PERSON));
    expect((await world.texts(scope)).flat()).not.toContain("was me");
  });

  test("and is somebody else already is told so, and nothing is changed", async () => {
    const other = await access.person(scope, { userId: PERSON, name: "Somebody Else" });
    await world.ingest(scope, opens(PERSON));
    expect(said()[0]).toMatch(/connected with somebody else/);
    expect(said().join()).not.toContain("Somebody Else");
    expect([await boundTo(), await boundTo(other)]).toEqual([null, String(PERSON)]);
  });
});

describe("a link", () => {
  test("that two accounts open is the first one's to confirm", async () => {
    const first = await offered(PERSON);
    const second = await offered(ANOTHER);
    await world.ingest(scope, presses(ANOTHER, second.yes), presses(PERSON, first.yes));
    expect(await boundTo()).toBe(String(ANOTHER));
    expect(said().at(-1)).toMatch(GONE);
  });

  test("that two accounts confirm in one moment is the first one's", async () => {
    const first = await offered(PERSON);
    const second = await offered(ANOTHER);
    let late: Promise<void> = Promise.resolve();
    await world.db.transaction(async (tx) => {
      await world.ingestIn(tx, [world.lane(scope, [presses(PERSON, first.yes)], "u1")]);
      late = world.ingestLanes([world.lane(scope, [presses(ANOTHER, second.yes)], "u2")]);
      await waitFor(access.waiting, { what: "the second to wait for the link" });
    });
    await late;
    expect(await boundTo()).toBe(String(PERSON));
    expect(said().at(-1)).toMatch(GONE);
    expect(await access.audited(scope, "person.bound")).toHaveLength(1);
  });

  test("whose person is removed in that moment binds nobody", async () => {
    const { yes } = await offered(PERSON);
    let late: Promise<void> = Promise.resolve();
    await world.db.transaction(async (tx) => {
      await removePerson(tx, { workspaceId: scope.workspaceId, id: personId });
      late = world.ingest(scope, presses(PERSON, yes));
      await waitFor(access.waiting, { what: "the press to wait for the removal" });
    });
    await late;
    expect(said().at(-1)).toMatch(GONE);
    expect(await access.audited(scope, "person.bound")).toEqual([]);
  });

  test("of another person that the same account confirms in one moment, at another bot, is refused", async () => {
    const neighbour = await world.newConnector(scope.workspaceId);
    const other = await access.person(scope, { name: "Grace Hopper" });
    const second = await offered(PERSON, neighbour, await access.linkOf(neighbour, other));
    const first = await offered(PERSON);
    const late = world.lane(neighbour, [presses(PERSON, second.yes)]);
    let failed: Promise<unknown> = Promise.resolve();
    await world.db.transaction(async (tx) => {
      await world.ingestIn(tx, [world.lane(scope, [presses(PERSON, first.yes)])]);
      failed = world.ingestLanes([late]).catch((error: unknown) => error);
      await waitFor(access.waiting, { what: "the other to wait" });
    });
    // Its job is tried again, as after any failure.
    expect(await failed).toMatchObject({ code: "23505" });
    await world.ingestLanes([late]);
    expect(said().at(-1)).toMatch(/connected with somebody else/);
    expect([await boundTo(), await boundTo(other)]).toEqual([String(PERSON), null]);
  });

  test("that has expired, or that a newer one replaced, opens nothing", async () => {
    const { yes } = await offered(PERSON);
    await world.db.query("UPDATE person_links SET expires_at = '2026-01-01' WHERE person_id = $1", [
      personId,
    ]);
    await world.ingest(scope, opens(PERSON), presses(PERSON, yes));
    const newer = await access.linkOf(scope, personId);
    await world.ingest(scope, opens(PERSON), presses(PERSON, yes));
    expect(said().slice(1)).toEqual(Array(4).fill(expect.stringMatching(GONE)));
    expect(await boundTo()).toBeNull();
    expect((await offered(PERSON, scope, newer)).yes).not.toBe("");
  });

  test("ends exactly when it says", async () => {
    const expires = async (afterMs: number) => {
      await world.db.query(
        `UPDATE person_links SET expires_at = timestamptz '2026-01-02T03:04:05.678Z'
           + $2 * interval '1 ms' WHERE person_id = $1`,
        [personId, afterMs],
      );
      return (await offered(PERSON)).yes;
    };
    expect(await expires(0)).toBe("");
    expect(await expires(1)).not.toBe("");
  });

  test("works at its own bot only: not at another of the workspace, not at another workspace's", async () => {
    const neighbour = await world.newConnector(scope.workspaceId);
    const stranger = await world.newScope();
    const { yes } = await offered(PERSON);
    for (const other of [neighbour, stranger]) {
      await world.ingest(other, opens(PERSON), presses(PERSON, yes));
    }
    expect(said().slice(1)).toEqual(Array(4).fill(expect.stringMatching(GONE)));
    expect(await boundTo()).toBeNull();
  });
});

describe("what is forged", () => {
  test("a button for an account that was not asked does nothing", async () => {
    const { yes } = await offered(PERSON);
    await world.ingest(scope, presses(ANOTHER, yes), presses(ANOTHER, yes, privateChat(PERSON)));
    expect(said().slice(1)).toEqual(Array(2).fill(expect.stringMatching(GONE)));
    expect(await boundTo()).toBeNull();
  });

  test.each([
    ["person-link-yes:"],
    ["person-link-yes:00000000-0000-4000-8000-000000000000"],
    ["person-link-yes:' OR 1=1 --"],
    ["person-link-maybe:00000000-0000-4000-8000-000000000000"],
  ])("%s does nothing", async (data) => {
    await offered(PERSON);
    await world.ingest(scope, presses(PERSON, data));
    expect(await boundTo()).toBeNull();
  });

  test.each([
    ["hgl_"],
    ["hgl_short"],
    [`hgl_${"x".repeat(43)}`],
    [`hgl_${"x".repeat(4_000)}`],
    [`${"hgl_"}${"é".repeat(43)}`],
  ])("a wrong token is answered politely, and nothing else: %s", async (wrong) => {
    await world.ingest(scope, opens(PERSON, {}, wrong));
    expect(said()).toEqual([expect.stringMatching(GONE)]);
    expect(await world.count("messages", scope)).toBe(0);
    const refusals = await world.db.query(
      "SELECT told_at, wrong_codes FROM access_refusals WHERE workspace_id = $1",
      [scope.workspaceId],
    );
    expect(refusals).toEqual([{ told_at: null, wrong_codes: 0 }]);
  });

  test("bots, groups and edits open no links", async () => {
    await world.link(scope, -500);
    const chat = { id: -500, type: "group", title: "G" };
    const original = message(900, `/start ${token}`);
    await world.ingest(
      scope,
      opens(5, { from: user(5, { is_bot: true }) }),
      opens(PERSON, { chat }),
      { edited_message: edited(original, `/start ${token}`, 60) },
    );
    expect(said().join()).not.toContain("Is that you?");
  });
});

describe("a token", () => {
  test("is nowhere to be read, whether its writer may talk or not", async () => {
    for (const settings of [
      { level: "everyone" },
      { level: "members", saveDenied: true },
      { level: "members", saveDenied: false },
    ] as const) {
      await access.set(scope, settings);
      const pasted = `look: https://t.me/helio_bot?start=${token} and /start ${token}`;
      const quoting = { reply_to_message: message(1, `/start ${token}`) };
      const entities = [
        { type: "text_link", offset: 0, length: 1, url: `https://x/?start=${token}` },
      ];
      const left = await access.ingestKept(
        scope,
        opens(PERSON),
        { message: message(++lastNumber, pasted) },
        { message: message(++lastNumber, "what is this?", quoting) },
        { message: message(++lastNumber, "this", { entities }) },
        { edited_message: edited(message(1_000, "x"), `/start ${token}`, 60) },
      );
      expect(left).toEqual([]);
    }
    const everything = await everythingOf(world, scope);
    expect(everything).toContain("/start …");
    expect(everything).toContain("look: https://t.me/helio_bot?start=… and /start …");
    expect(everything).not.toContain(token.slice(4, 30));
    expect(JSON.stringify(world.replies)).not.toContain(token.slice(4, 30));
  });

  test("nor where people name things: polls, files, topics, tasks", async () => {
    await access.set(scope, { level: "everyone" });
    const chat = { id: -500, type: "supergroup", title: "G", is_forum: true };
    await world.link(scope, chat.id);
    const without = { text: undefined };
    const options = [{ text: token, voter_count: 0 }];
    const topic = { chat, is_topic_message: true, message_thread_id: 3 };
    const file = { file_id: "hgl_id", file_unique_id: "u", file_name: `${token}.txt` };
    const task = { id: 1, text: token };
    const left = await access.ingestKept(
      scope,
      { message: message(1, "", { ...without, poll: { id: "p", question: token, options } }) },
      { message: message(2, "", { ...without, document: file }) },
      { message: message(3, "", { ...without, ...topic, forum_topic_created: { name: token } }) },
      { message: message(4, "", { ...without, ...topic, forum_topic_edited: { name: token } }) },
      { message: message(5, "", { ...without, chat, new_chat_title: token }) },
      { message: message(6, "", { ...without, checklist_tasks_added: { tasks: [task] } }) },
      { message: message(7, "", { ...without, checklist: { title: token, tasks: [task] } }) },
    );
    expect(left).toEqual([]);
    expect(await world.count("messages", scope)).toBe(7);
    const everything = await everythingOf(world, scope);
    expect(everything).toContain("hgl_id");
    expect(everything).toContain("….txt");
    expect(everything).not.toContain(token.slice(4, 30));
  });

  test("is answered once, where its message is stored, however often that is ingested", async () => {
    await access.set(scope, { level: "everyone" });
    const update = opens(PERSON);
    await world.ingest(scope, update, update);
    await world.ingest(scope, update);
    expect(said()).toHaveLength(1);
    expect(await world.texts(scope)).toEqual([["/start …"]]);
  });
});
