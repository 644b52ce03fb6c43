import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { accessWorld, everythingOf } from "../../test/support/access-world.ts";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import {
  CHANNEL,
  edited,
  GROUP,
  group,
  inGroup,
  leaving,
  message,
  pressed,
  SUPERGROUP,
  T0,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { setChatLink } from "./chat-links.ts";
import type { Scope } from "./effects.ts";

let world: World;
let access: ReturnType<typeof accessWorld>;
let scope: Scope;
let personId: string;
let code: string;
let lastNumber = 0;

beforeAll(async () => {
  world = await createWorld();
  access = accessWorld(world);
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
  personId = await access.person(scope, { userId: MEMBER });
  code = await access.code(scope, "compliance");
  world.replies.length = 0;
});

const MEMBER = 31;
const HOUR = 3_600_000;
const OTHER_GROUP = GROUP - 1;
const WRONG = "0000-0000-0000";
const says = (text: string, rest: Wire = {}): Wire => {
  lastNumber++;
  return { message: inGroup(lastNumber, text, { from: user(MEMBER), ...rest }) };
};
const said = () => world.replies.map(({ text }) => text);
const texts = async () => (await world.texts(scope)).flat();

async function linkOf(chatId = GROUP): Promise<unknown> {
  const [row] = await world.db.query(
    "SELECT linked, purpose FROM chats WHERE workspace_id = $1 AND chat_id = $2",
    [scope.workspaceId, chatId],
  );
  return row;
}

describe("a person of the workspace sends /link with a code", () => {
  test("and the group is linked for its purpose; the log says who did it", async () => {
    await world.ingest(scope, says(`/link ${code}`));
    expect(await linkOf()).toEqual({ linked: true, purpose: "compliance" });
    expect(said()).toEqual(["This group is now linked to Workspace."]);
    expect(await access.audited(scope, "chat.linked")).toEqual([
      {
        actor_kind: "telegram_user",
        actor_id: String(MEMBER),
        subject_id: String(GROUP),
        details: { connectorId: scope.connectorId, purpose: "compliance", personId },
      },
    ]);
  });

  test("what was written before is not there, what follows is, and the code is nowhere", async () => {
    const left = await access.ingestKept(
      scope,
      says("before"),
      says(`/LINK@helio_bot ${code.toLowerCase()} please`),
      says("after"),
    );
    expect(await texts()).toEqual(["after"]);
    expect(left).toHaveLength(1);
    const everything = await everythingOf(world, scope);
    for (const form of [code, code.toLowerCase(), code.replaceAll("-", "")]) {
      expect(everything).not.toContain(form);
    }
  });

  test("once: the second group that uses it is told that it is not valid", async () => {
    await world.ingest(scope, says(`/link ${code}`));
    await world.ingest(scope, says(`/link ${code}`, { chat: group(OTHER_GROUP) }));
    expect(said()[1]).toMatch(/^This code is not valid/);
    expect(await linkOf(OTHER_GROUP)).toBeUndefined();
  });

  test.each([
    ["in one batch", false],
    ["in one moment", true],
  ])("in two groups %s: one of them is linked", async (_, apart) => {
    const lanes = [GROUP, OTHER_GROUP].map((id) =>
      world.lane(scope, [says(`/link ${code}`, { chat: group(id) })], `c${id}`),
    );
    const [first, second] = lanes;
    if (first === undefined || second === undefined) throw new Error("two lanes were made");
    if (apart) {
      let late: Promise<void> = Promise.resolve();
      await world.db.transaction(async (tx) => {
        await world.ingestIn(tx, [first]);
        late = world.ingestLanes([second]);
        await waitFor(access.waiting, { what: "the second group to wait for the code" });
      });
      await late;
    } else {
      await world.ingestLanes(lanes);
    }
    expect(await linkOf()).toMatchObject({ linked: true });
    expect(await linkOf(OTHER_GROUP)).toBeUndefined();
    expect(said().at(-1)).toMatch(/^This code is not valid/);
  });

  test("in a group that becomes a supergroup in the same batch: that one is linked", async () => {
    await world.ingest(scope, says(`/link ${code}`), leaving);
    expect(await linkOf()).toMatchObject({ linked: false });
    expect(await linkOf(SUPERGROUP)).toEqual({ linked: true, purpose: "compliance" });
  });

  test("in a topic, and is answered there", async () => {
    const topic = { message_thread_id: 12, is_topic_message: true };
    await world.ingest(scope, says(`/link ${code}`, { chat: group(SUPERGROUP), ...topic }));
    expect(world.replies).toMatchObject([{ threadId: "12", chatId: String(SUPERGROUP) }]);
  });

  test("that has expired, is another bot's or another workspace's: nothing is linked", async () => {
    const neighbour = await world.newConnector(scope.workspaceId);
    const stranger = await world.newScope();
    await access.person(stranger, { userId: MEMBER });
    await world.ingest(neighbour, says(`/link ${code}`));
    await world.ingest(stranger, says(`/link ${code}`));
    await world.db.query("UPDATE chat_link_codes SET expires_at = '2026-01-01'");
    await world.ingest(scope, says(`/link ${code}`));
    expect(said()).toEqual(Array(3).fill(expect.stringMatching(/^This code is not valid/)));
    for (const one of [scope, neighbour, stranger]) {
      expect(await access.audited(one, "chat.linked")).toEqual([]);
    }
  });

  test("to a bot that takes messages of agents only: linking is for all members", async () => {
    await access.set(scope, { level: "agents" });
    await world.ingest(scope, says(`/link ${code}`));
    expect(await linkOf()).toMatchObject({ linked: true });
  });
});

describe("wrong codes", () => {
  test("are answered ten times an hour, then ignored, right ones too, until the hour is over", async () => {
    for (let n = 0; n < 12; n++) await access.ingestAfter(scope, n, says(`/link ${WRONG}`));
    expect(said()).toHaveLength(10);
    await access.ingestAfter(scope, HOUR - 1, says(`/link ${code}`));
    expect(await linkOf()).toBeUndefined();
    expect(said()).toHaveLength(10);
    await access.ingestAfter(scope, HOUR, says(`/link ${code}`));
    expect(await linkOf()).toMatchObject({ linked: true });
  });

  test("of one group don't count in another", async () => {
    for (let n = 0; n < 11; n++) await world.ingest(scope, says(`/link ${WRONG}`));
    await world.ingest(scope, says(`/link ${code}`, { chat: group(OTHER_GROUP) }));
    expect(await linkOf(OTHER_GROUP)).toMatchObject({ linked: true });
  });

  test("a code that is left out is asked for", async () => {
    await world.ingest(scope, says("/link"));
    expect(said()).toEqual(["Send the command with its code: /link CODE"]);
  });
});

describe("who is no person of the workspace", () => {
  test("is told how to become one, once an hour a group; nothing is linked, kept or used up", async () => {
    const stranger = { from: user(99) };
    const left = await access.ingestKept(scope, says(`/link ${code}`, stranger));
    expect(left).toEqual([]);
    expect(said()).toEqual([expect.stringMatching(/^Only members of the team/)]);
    await access.ingestAfter(scope, 5, says(`/link ${WRONG}`, stranger));
    await access.ingestAfter(scope, HOUR, says(`/link ${code}`, { from: user(98) }));
    expect(said()).toHaveLength(2);
    expect(await linkOf()).toBeUndefined();
    expect(await world.count("contacts", scope)).toBe(0);
    expect(await world.count("messages", scope)).toBe(0);
    await world.ingest(scope, says(`/link ${code}`));
    expect(await linkOf()).toMatchObject({ linked: true });
  });

  test.each([
    [
      "an anonymous administrator",
      { from: user(1_087_968_824, { is_bot: true }), sender_chat: group() },
    ],
    ["a member in the name of a channel", { sender_chat: { id: CHANNEL, type: "channel" } }],
    ["a bot", { from: user(7, { is_bot: true }) }],
    ["a channel", { from: undefined, chat: { id: CHANNEL, type: "channel", title: "C" } }],
  ])("%s links nothing", async (_, rest) => {
    await world.ingest(scope, says(`/link ${code}`, rest));
    expect(await access.audited(scope, "chat.linked")).toEqual([]);
  });

  test("an edit is no command, and a command for another bot is talk between others", async () => {
    const update = says("/link later");
    const left = await access.ingestKept(
      scope,
      { edited_message: edited(update.message as Wire, `/link ${code}`, 60) },
      says(`/link@other_bot ${code}`),
    );
    expect(left).toEqual([]);
    expect(await linkOf()).toBeUndefined();
    expect(world.replies).toEqual([]);
  });
});

describe("in a group that is linked", () => {
  beforeEach(() => world.link(scope, GROUP));

  test("/link is not stored, whoever sends it, edited or not; a right code is used up", async () => {
    const update = says("hello");
    const left = await access.ingestKept(
      scope,
      update,
      says(`/link ${WRONG}`),
      says(`/link ${WRONG}`, { from: user(99) }),
      { edited_message: edited(update.message as Wire, `/link ${code}`, 60) },
      says(`/link ${code}`),
    );
    expect(await texts()).toEqual(["hello"]);
    expect(left).toHaveLength(1);
    expect(await world.count("chat_link_codes", scope)).toBe(0);
    expect(await linkOf()).toMatchObject({ purpose: "compliance" });
  });

  test("/unlink of a person ends it: what follows is not stored, not in the ledger either", async () => {
    const left = await access.ingestKept(
      scope,
      says("kept"),
      says("/unlink"),
      says("not kept"),
      { callback_query: pressed("help", { message: { message_id: 1, chat: group() } }) },
      {
        message_reaction: {
          chat: group(),
          message_id: 1,
          user: user(MEMBER),
          date: T0,
          old_reaction: [],
          new_reaction: [],
        },
      },
    );
    expect(await texts()).toEqual(["kept"]);
    expect(left).toHaveLength(2);
    expect(await linkOf()).toMatchObject({ linked: false });
    expect(await access.audited(scope, "chat.unlinked")).toMatchObject([
      { actor_kind: "telegram_user", actor_id: String(MEMBER), details: { personId } },
    ]);
    expect(said()).toEqual([expect.stringMatching(/^This group is not linked any more/)]);
  });

  test("/unlink of anybody else is talk like any other", async () => {
    await world.ingest(scope, says("/unlink", { from: user(99) }));
    expect(await texts()).toEqual(["/unlink"]);
    expect(await linkOf()).toMatchObject({ linked: true });
  });

  test("and then unlinked by API: what waited in the ledger from before is not stored", async () => {
    await setChatLink(world.db, { ...scope, chatId: String(GROUP), linked: false });
    expect(await access.ingestKept(scope, says("waited"))).toEqual([]);
    expect(await texts()).toEqual([]);
    expect(await world.count("contacts", scope)).toBe(0);
  });

  test("and unlinked while a batch is being written: that batch was first, or leaves nothing", async () => {
    let late: Promise<void> = Promise.resolve();
    await world.db.transaction(async (tx) => {
      await setChatLink(tx, { ...scope, chatId: String(GROUP), linked: false });
      late = world.ingest(scope, says("too late"));
      await waitFor(access.waiting, { what: "the batch to wait for the group" });
    });
    await late;
    expect(await texts()).toEqual([]);
  });

  test("commands in private chats and messages that only look like them change nothing", async () => {
    await world.ingest(
      scope,
      { message: message(1, `/link ${code}`, { from: user(MEMBER) }) },
      says("/linked"),
      says("/unlinked"),
      says("please /unlink"),
    );
    expect(await linkOf()).toMatchObject({ linked: true, purpose: null });
    expect(await texts()).toHaveLength(4);
  });
});
