import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { approvalsWorld } from "../../test/support/approvals-world.ts";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { GROUP } from "../../test/support/telegram-updates.ts";
import type { Scope } from "../conversations/index.ts";
import { findApproval, listApprovals } from "./approval-view.ts";

let world: World;
let approvals: ReturnType<typeof approvalsWorld>;
let scope: Scope;
let stranger: Scope;

beforeAll(async () => {
  world = await createWorld();
  approvals = approvalsWorld(world);
  [scope, stranger] = [await world.newScope(), await world.newScope()];
  for (const one of [scope, stranger]) {
    await approvals.rule(one, { approvals: 2 });
    await world.link(one, GROUP);
    await world.db.query("UPDATE chats SET title = $2 WHERE workspace_id = $1", [
      one.workspaceId,
      one === scope ? "Payroll" : "Somebody else's",
    ]);
  }
});
afterAll(() => world.drop());

const view = async (messageId: string) => {
  const { workspaceId } = scope;
  const found = await findApproval(world.db.asTenant(workspaceId), { workspaceId, messageId });
  if (found === null) throw new Error("no such approval");
  return found;
};

test("who is meant is called by their names in the workspace, and nobody's by those of another", async () => {
  const [author, key] = [
    await approvals.key(scope, "Newsletter"),
    await approvals.key(scope, "Bea"),
  ];
  const person = `person:${await approvals.person(scope, { userId: 11, name: "Ada" })}`;
  const theirs = await approvals.key(stranger, "Not ours");
  const sendAt = new Date(Date.now() + 3_600_000);
  const message = { chatId: String(GROUP), submittedBy: author, sendAt };
  const id = await approvals.submit(scope, message);
  const bare = await approvals.submit(scope, { chatId: "@channel", submittedBy: theirs });
  await approvals.submit(stranger, { chatId: String(GROUP), submittedBy: theirs });
  const version = await approvals.version(id);
  await approvals.decide(scope, { messageId: id, approver: key, version });
  for (const approver of [person, theirs, "person:nobody"]) {
    await world.db.query(
      `INSERT INTO approval_decisions (workspace_id, message_id, approver, version, verdict)
       VALUES ($1, $2, $3, sha256('x'), 'approved')`,
      [scope.workspaceId, id, approver],
    );
  }
  const { decisions, ...seen } = await view(id);
  expect(seen).toMatchObject({
    authorName: "Newsletter",
    chatTitle: "Payroll",
    connectorName: expect.any(String),
    sendAt: sendAt.toISOString(),
  });
  expect(new Map(decisions.map((one) => [one.approver, one.approverName]))).toEqual(
    new Map([
      [key, "Bea"],
      [person, "Ada"],
      [theirs, null],
      ["person:nobody", null],
    ]),
  );
  const listed = await listApprovals(world.db.asTenant(scope.workspaceId), {
    workspaceId: scope.workspaceId,
    state: "waiting",
    rows: 10,
  });
  expect(listed.map(({ approval }) => approval)).toMatchObject([
    { messageId: bare, authorName: null, chatTitle: null },
    { messageId: id, authorName: "Newsletter", chatTitle: "Payroll" },
  ]);
});

test("what stands behind its words is told: addresses, people, times, emoji", async () => {
  const text = "here Ada 10 May 👍 bold";
  const id = await approvals.submit(scope, {
    text,
    entities: [
      { type: "text_link", offset: 0, length: 4, url: "https://example.org/" },
      { type: "text_mention", offset: 5, length: 3, user: { id: 7 } },
      { type: "date_time", offset: 9, length: 6, unix_time: 1_893_456_000 },
      { type: "custom_emoji", offset: 16, length: 2, custom_emoji_id: "536" },
      { type: "bold", offset: 19, length: 4 },
    ],
  });
  expect((await view(id)).leads).toEqual([
    { label: "here", to: "https://example.org/" },
    { label: "Ada", to: "tg://user?id=7" },
    { label: "10 May", to: "shown as the time 2030-01-01T00:00:00.000Z" },
    { label: "👍", to: "custom emoji 536" },
  ]);
});

test("of one that changes another message, that one's words are told", async () => {
  const target = await approvals.submit(scope, { text: "said before" });
  const content = { type: "delete", messageId: target } as const;
  const id = await approvals.submit(scope, { text: "", content });
  expect((await view(id)).changes).toEqual({ messageId: target, text: "said before" });
});

test("approvers in Telegram are told what a time shows", async () => {
  const chat = { connectorId: scope.connectorId, chatId: String(GROUP) };
  const personIds = [await approvals.person(scope, { userId: 12, name: "Ben" })];
  await approvals.rule(scope, { approvals: 2, expiresAfterS: 60, personIds, chat });
  await approvals.submit(scope, {
    text: "due 10 May",
    entities: [{ type: "date_time", offset: 4, length: 6, unix_time: 1_893_456_000 }],
  });
  const asked = (await approvals.said(scope, GROUP)).at(-1);
  expect(asked?.text).toContain("[10 May] shown as the time 2030-01-01T00:00:00.000Z");
});
