import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { accessWorld } from "../../test/support/access-world.ts";
import { contentsOf } from "../../test/support/conversations-contents.ts";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { fc, runs } from "../../test/support/property.ts";
import {
  edited,
  GROUP,
  group,
  inGroup,
  message,
  pressed,
  privateChat,
  T0,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import type { Scope } from "./effects.ts";

/**
 * Who may talk is decided update by update, also where a binding, a link or a refusal in the same
 * batch has just changed it: a batch comes to what its updates come to one by one.
 */

jest.setTimeout(120_000 * runs(1));

let world: World;
let access: ReturnType<typeof accessWorld>;
beforeAll(async () => {
  world = await createWorld();
  access = accessWorld(world);
});
afterAll(() => world.drop());

/** One is a person of the workspace, one is about to become another, one is nobody. */
const [MEMBER, GUEST, NOBODY] = [11, 12, 13];

/** What links and codes a history speaks of. */
interface Secrets {
  token: string;
  linkId: string;
  code: string;
}
type Make = (secrets: Secrets) => Wire;

const who = fc.constantFrom(MEMBER, GUEST, NOBODY);
const number = fc.integer({ min: 1, max: 4 });
const hours = fc.integer({ min: 0, max: 5 });
const groupId = fc.constantFrom(GROUP, GROUP - 1);
const from = (id: number) => ({ from: user(id), chat: privateChat(id) });

const inPrivate = fc.tuple(who, number, hours).map(
  ([id, n, h]): Make =>
    () => ({ message: message(n, `m${n}`, { ...from(id), date: T0 + h * 1_800 }) }),
);
const said = (id: number, n: number, chat: number, text: string): Wire =>
  inGroup(n, text, { from: user(id), chat: group(chat) });

const update: fc.Arbitrary<Make> = fc.oneof(
  { weight: 4, arbitrary: inPrivate },
  fc.tuple(who, number).map(
    ([id, n]): Make =>
      () => ({ edited_message: edited(message(n, `m${n}`, from(id)), "changed", 60) }),
  ),
  fc.tuple(who, number).map(
    ([id, n]): Make =>
      ({ token }) => ({ message: message(10 + n, `/start ${token}`, from(id)) }),
  ),
  {
    weight: 3,
    arbitrary: fc.tuple(who, fc.boolean()).map(
      ([id, yes]): Make =>
        ({ linkId }) => ({
          callback_query: pressed(`person-link-${yes ? "yes" : "no"}:${linkId}`, {
            from: user(id),
            message: { message_id: 7, date: T0, chat: privateChat(id) },
          }),
        }),
    ),
  },
  who.map(
    (id): Make =>
      () => ({ callback_query: pressed("help", { from: user(id), message: undefined }) }),
  ),
  {
    weight: 4,
    arbitrary: fc
      .tuple(who, number, groupId, fc.constantFrom("hello", "/unlink", "/link 0", "CODE"))
      .map(
        ([id, n, chat, text]): Make =>
          ({ code }) => ({
            message: said(id, 20 + n, chat, text === "CODE" ? `/link ${code}` : text),
          }),
      ),
  },
  fc.tuple(who, groupId).map(
    ([id, chat]): Make =>
      () => ({
        message_reaction: {
          chat: group(chat),
          message_id: 21,
          user: user(id),
          date: T0,
          old_reaction: [],
          new_reaction: [{ type: "emoji", emoji: "👍" }],
        },
      }),
  ),
);

const settings = fc.record({
  level: fc.constantFrom("everyone", "members", "agents", "named"),
  saveDenied: fc.boolean(),
  sessionHours: fc.constantFrom(-1, 0, 1),
});

const MORE = [
  "SELECT name, telegram_user_id FROM people WHERE workspace_id = $1 ORDER BY name",
  "SELECT used_by FROM person_links WHERE workspace_id = $1",
  `SELECT telegram_user_id FROM person_link_offers WHERE workspace_id = $1 ORDER BY 1`,
  "SELECT purpose FROM chat_link_codes WHERE workspace_id = $1",
  `SELECT peer_id, dropped_at, told_at, wrong_codes, wrong_since FROM access_refusals
     WHERE workspace_id = $1 ORDER BY 1`,
  // A batch writes chats first, whatever came first: order holds within an action.
  "SELECT action, actor_id FROM audit_entries WHERE workspace_id = $1 ORDER BY action, id",
];

/** Ingests the history in batches of these sizes; answers what is stored, said and kept raw. */
async function outcome(
  history: readonly Make[],
  sizes: readonly number[],
  given: { level: "everyone" | "members" | "agents" | "named" } & object,
): Promise<unknown> {
  const scope: Scope = await world.newScope();
  await access.set(scope, given);
  await access.person(scope, { userId: MEMBER, name: "Member", agent: true, named: true });
  const guest = await access.person(scope, { name: "Guest", named: true });
  const token = await access.linkOf(scope, guest);
  const code = await access.code(scope);
  await world.link(scope, GROUP);
  const [link] = await world.db.query<{ id: string }>(
    "SELECT id FROM person_links WHERE workspace_id = $1",
    [scope.workspaceId],
  );
  const linkId = link?.id ?? "";
  const updates = history.map((make) => make({ token, linkId, code }));
  world.replies.length = 0;
  const kept: string[] = [];
  let start = 0;
  for (const size of sizes) {
    const batch = updates.slice(start, start + size);
    if (batch.length > 0) kept.push(...(await access.ingestKept(scope, ...batch)));
    start += size;
  }
  const replies = world.replies.map(({ workspaceId, connectorId, causeId, ...rest }) => rest);
  const more = await Promise.all(MORE.map((sql) => world.db.query(sql, [scope.workspaceId])));
  const text = JSON.stringify([replies, await contentsOf(world.db, scope), more, kept]);
  return JSON.parse(text.replaceAll(linkId, "LINK").replaceAll(code, "CODE"));
}

test("a batch comes to what its updates come to one by one", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(update, { minLength: 2, maxLength: 14 }),
      fc.integer({ min: 1, max: 13 }),
      settings,
      async (history, cut, given) => {
        const oneByOne = await outcome(
          history,
          history.map(() => 1),
          given,
        );
        expect(await outcome(history, [history.length], given)).toEqual(oneByOne);
        expect(await outcome(history, [cut, history.length], given)).toEqual(oneByOne);
      },
    ),
    { numRuns: runs(25) },
  );
});
