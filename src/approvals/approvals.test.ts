import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { NOT_SENT } from "../../migrations/0015_approvals.ts";
import { approvalsWorld } from "../../test/support/approvals-world.ts";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { GROUP, leaving } from "../../test/support/telegram-updates.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Scope } from "../conversations/index.ts";
import { recordDeletions } from "../outbound/content/index.ts";
import type { NewMessage } from "../outbound/index.ts";
import { silentLogger } from "../platform/index.ts";
import { createApprovalKeeper } from "./approval-keeper.ts";
import type { Act } from "./decide.ts";

let world: World;
let approvals: ReturnType<typeof approvalsWorld>;
let scope: Scope;
let [author, first, second] = ["", "", ""];

beforeAll(async () => {
  world = await createWorld();
  approvals = approvalsWorld(world);
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
  [author = "", first = "", second = ""] = await Promise.all(
    ["Author", "First", "Second"].map((name) => approvals.key(scope, name)),
  );
});

const submit = (more = {}) => approvals.submit(scope, { submittedBy: author, ...more });
const state = async (id: string) => (await approvals.message(id))?.state;
/** Says something of the message as it is now. */
const say = async (messageId: string, approver: string, act: Partial<Act> = {}) => {
  const version = act.version ?? (await approvals.version(messageId));
  return approvals.decide(scope, { messageId, approver, ...act, version });
};
const edit = (text: string) => ({ verdict: "edit" as const, edit: { text } });
const reject = { verdict: "reject" as const, reason: "no" };
const actions = async (id: string) =>
  (
    await world.db.query<{ action: string }>(
      "SELECT action FROM audit_entries WHERE subject_id = $1 ORDER BY id",
      [id],
    )
  ).map(({ action }) => action);

describe("a message that meets a rule", () => {
  test("waits without a job; approved, it is queued as it was submitted", async () => {
    expect(await submit()).toBe("");
    await approvals.rule(scope, { conditions: { words: ["pay"] } });
    expect(await submit({ text: "Hello" })).toBe("");
    const sendAt = new Date(Date.now() + 3_600_000);
    const id = await submit({ priority: "low", sendAt });
    expect([await state(id), await approvals.jobsOf(id)]).toEqual(["awaiting_approval", []]);
    expect(await say(id, author)).toEqual({ refused: "author" });
    expect(await say(id, first, { version: "0".repeat(64) })).toEqual({ refused: "changed" });
    expect(await say(id, first)).toEqual({ refused: null, state: "approved", missing: 0 });
    expect(await approvals.message(id)).toMatchObject({ state: "queued", approved: true });
    expect(await approvals.jobsOf(id)).toEqual([{ priority: 8, run_at: sendAt }]);
    expect(await say(id, second, reject)).toEqual({ refused: "over" });
    expect(await actions(id)).toEqual([
      "approval.requested",
      "approval.refused",
      "approval.refused",
      "approval.approved",
      "approval.refused",
    ]);
  });

  test("is none that says nothing and is over in seconds", async () => {
    await approvals.rule(scope);
    const action = { type: "chat-action", action: "typing" } as const;
    expect(await submit({ text: "", content: action })).toBe("");
    expect(await state(await submit())).toBe("awaiting_approval");
  });

  test("says its words in a name, behind a button, or where nobody here can read them", async () => {
    await approvals.rule(scope, { conditions: { words: ["pay"], minLength: 1 } });
    await approvals.rule(scope, { conditions: { kinds: ["reply"] } });
    await approvals.rule(scope, { conditions: { chatTypes: ["supergroup"] } });
    await world.ingest(scope, leaving);
    const there = await submit();
    const file = (name?: string) => ({ url: "https://files.example/a/pay%2Eit.pdf", name });
    const forward = { type: "forward", fromChatId: "5", telegramMessageId: "7" } as const;
    const evidence = {
      evidenceFileId: randomUUID(),
      name: "pay.pdf",
      contentType: null,
      sizeBytes: 1,
      sha256: "0".repeat(64),
    };
    const held: Record<string, Partial<NewMessage>> = {
      handedIn: { text: "Here", content: { type: "document", file: evidence } },
      forwarded: { text: "", content: { ...forward, asCopy: true } },
      edited: { text: "Hello", content: { type: "edit", messageId: there } },
      linked: { text: "Here", buttons: [[{ text: "Ok", url: "https://a.example/pay" }]] },
      named: { text: "Here", content: { type: "document", file: file("Pay.pdf") } },
      located: { text: "Here", content: { type: "photo", file: file() } },
      moved: { text: "Here", chatId: String(GROUP) },
    };
    const waits = Object.entries(held).map(async ([how, more]) => [how, await submit(more)]);
    expect(Object.fromEntries(await Promise.all(waits))).toEqual(
      Object.fromEntries(Object.keys(held).map((how) => [how, expect.stringMatching(/./)])),
    );
    const document = { type: "document", file: file("other.pdf") } as const;
    expect(await submit({ text: "Here", content: document })).toBe("");
  });

  test("is rejected with a reason that its sender reads", async () => {
    await approvals.rule(scope);
    const id = await submit();
    await say(id, first, { ...reject, reason: "not like this" });
    const rejected = { state: "rejected", error: "Rejected: not like this", approved: false };
    expect(await approvals.message(id)).toMatchObject(rejected);
    expect(await approvals.jobsOf(id)).toEqual([]);
  });

  test("needs two where the rule says so, of the text as it is: an edit begins anew", async () => {
    await approvals.rule(scope, { approvals: 2 });
    const id = await submit();
    expect(await say(id, first)).toMatchObject({ state: "waiting", missing: 1 });
    expect(await say(id, first)).toEqual({ refused: "again" });
    expect(await say(id, second, edit("Pay later"))).toMatchObject({
      state: "waiting",
      missing: 1,
    });
    expect(await state(id)).toBe("awaiting_approval");
    expect(await say(id, second)).toEqual({ refused: "again" });
    // Back to what was approved before: that word still stands.
    expect(await say(id, first, edit("Pay now"))).toMatchObject({ state: "waiting", missing: 1 });
    expect(await say(id, second)).toMatchObject({ state: "approved" });
    expect(await approvals.message(id)).toMatchObject({ state: "queued", text: "Pay now" });
  });

  test("edited so that it meets a stricter rule it waits by that one", async () => {
    await approvals.rule(scope);
    await approvals.rule(scope, { approvals: 2, conditions: { words: ["wire"] } });
    const id = await submit();
    expect(await say(id, first, edit("Wire it"))).toMatchObject({ state: "waiting", missing: 1 });
    expect(await state(id)).toBe("awaiting_approval");
    expect(await say(id, second)).toMatchObject({ state: "approved" });
  });

  test("is sent as its editor wrote it, where one is enough", async () => {
    await approvals.rule(scope);
    const id = await submit({ buttons: [[{ text: "Ok", data: "ok" }]] });
    expect(await say(id, first, edit("Pay later"))).toMatchObject({ state: "approved" });
    expect(await approvals.message(id)).toMatchObject({
      text: "Pay later",
      buttons: [[{ text: "Ok", data: "ok" }]],
    });
    const [entry] = await approvals.audited(scope, "approval.edited");
    const { from, to } = (entry?.details ?? {}) as { from?: string; to?: string };
    expect([from?.length, to]).toEqual([64, await approvals.version(id)]);
    expect(from).not.toBe(to);
  });
});

describe("what was approved is what is sent", () => {
  /** With another value for each. A column that is missing here or in NOT_SENT: say which it is. */
  const SENT: Record<string, string> = {
    connector_id: "gen_random_uuid()",
    chat_id: "'6'",
    thread_id: "1",
    kind: "'callback-answer'",
    callback_query_id: "'1'",
    text: "text || ' '",
    entities: "'[]'",
    cuts: "'[]'",
    content: "'{}'",
    target_id: "gen_random_uuid()",
    buttons: "'[]'",
    reply_to: "1",
    silent: "true",
    protected: "true",
    link_preview: "false",
    delete_after_s: "1",
    business_connection_id: "'b'",
  };

  test("every column is either what is sent or what became of it", async () => {
    const rows = await world.owner.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute
       WHERE attrelid = 'outbound_messages'::regclass AND attnum > 0 AND NOT attisdropped`,
    );
    const names = rows.map(({ name }) => name).sort();
    expect(names).toEqual([...Object.keys(SENT), ...NOT_SENT].sort());
  });

  test("no statement changes any of it, whoever's; a group that moved keeps its message", async () => {
    await approvals.rule(scope);
    const [id, moving] = [await submit(), await submit({ chatId: "-5" })];
    await say(id, first);
    await say(moving, first);
    const set = (what: string, of = id) =>
      world.owner.query(`UPDATE outbound_messages SET ${what} WHERE id = $1`, [of]);
    for (const [name, value] of Object.entries(SENT)) {
      await expect(set(`${name} = ${value}`)).rejects.toMatchObject({ code: "42501" });
    }
    await expect(set("approved = false")).rejects.toMatchObject({ code: "42501" });
    await set("state = 'sending', attempts = 1, error = 'x', parts_sent = 1");
    await set("chat_id = '-1000000000005'", moving);
    await expect(set("chat_id = '-1000000000006'", moving)).rejects.toMatchObject({
      code: "42501",
    });
    // A notice that vanishes loses its words, and so do its edits; only once they are over.
    const forget = "text = '', entities = NULL, buttons = NULL";
    await expect(set(forget)).rejects.toMatchObject({ code: "42501" });
    await set("state = 'sent'");
    await expect(set("text = 'other words'")).rejects.toMatchObject({ code: "42501" });
    await expect(set(`${forget}, chat_id = '6'`)).rejects.toMatchObject({ code: "42501" });
    await set(forget);
    await set("state = 'cancelled'", moving);
    await set(forget, moving);
  });

  test("a notice that vanishes takes its edits' words along, but of one that is still to be sent", async () => {
    await approvals.rule(scope);
    const notice = await submit();
    await say(notice, first);
    const set = (what: string, of: string) =>
      world.owner.query(`UPDATE outbound_messages SET ${what} WHERE id = $1`, [of]);
    await set("state = 'sent'", notice);
    const edit = { content: { type: "edit", messageId: notice } } as const;
    const [waiting, cancelled] = [await submit(edit), await submit(edit)];
    for (const id of [waiting, cancelled]) await say(id, first);
    await set("state = 'cancelled'", cancelled);
    await world.db.transaction((tx) =>
      recordDeletions(tx, [
        {
          job: { workspaceId: scope.workspaceId, lane: scope.connectorId },
          targetId: notice,
          chatId: "5",
          businessConnectionId: null,
          telegramMessageIds: ["1"],
          isVanishing: true,
        },
      ]),
    );
    const texts = [notice, waiting, cancelled].map(
      async (id) => (await approvals.message(id))?.text,
    );
    expect(await Promise.all(texts)).toEqual(["", "Pay now", ""]);
  });

  test("and what was not approved is never queued", async () => {
    await approvals.rule(scope);
    const [waiting, rejected] = [await submit(), await submit()];
    await say(rejected, first, reject);
    for (const id of [waiting, rejected]) {
      const queued = world.owner.query(
        "UPDATE outbound_messages SET state = 'queued' WHERE id = $1",
        [id],
      );
      await expect(queued).rejects.toMatchObject({ code: "42501" });
    }
  });
});

describe("of what happens at once one thing counts", () => {
  const keeper = () =>
    createApprovalKeeper({ db: world.db, jobs: approvals.jobs, log: silentLogger });
  const cancel = (id: string) =>
    world.db.query(
      `UPDATE outbound_messages SET state = 'cancelled'
       WHERE id = $1 AND state = 'awaiting_approval'`,
      [id],
    );
  const rewrite = (id: string) =>
    world.db.query(
      `UPDATE outbound_messages SET text = 'Pay twice'
       WHERE id = $1 AND state = 'awaiting_approval'`,
      [id],
    );
  type Doing = (id: string, version: string) => Promise<unknown>;
  const approve: Doing = (id, version) => say(id, first, { version });
  const also: Doing = (id, version) => say(id, second, { version });
  const rejects: Doing = (id, version) => say(id, second, { version, ...reject });
  const edits: Doing = (id, version) => say(id, second, { version, ...edit("Pay later") });

  /** Both wait for the message's row, the first before the second. */
  async function atOnce(id: string, doings: Doing[]): Promise<unknown[]> {
    const version = await approvals.version(id);
    const done: Promise<unknown>[] = [];
    await world.db.transaction(async (tx) => {
      await tx.query("SELECT FROM outbound_messages WHERE id = $1 FOR UPDATE", [id]);
      for (const [n, doing] of doings.entries()) {
        done.push(doing(id, version));
        await waitFor(async () => (await approvals.waiting()) === n + 1, { what: "it to wait" });
      }
    });
    return Promise.all(done);
  }

  test.each<[string, Doing[], string, string]>([
    ["approve, approve", [approve, also], "queued", "approved"],
    ["approve, reject", [approve, rejects], "queued", "approved"],
    ["reject, approve", [rejects, approve], "rejected", "rejected"],
    ["approve, edit", [approve, edits], "queued", "approved"],
    ["edit, approve", [edits, approve], "queued", "approved"],
    ["cancel, approve", [cancel, approve], "cancelled", "cancelled"],
    ["approve, cancel", [approve, cancel], "queued", "approved"],
    ["replace, approve", [rewrite, approve], "awaiting_approval", "waiting"],
  ])("%s", async (name, doings, ends, approval) => {
    await approvals.rule(scope);
    const id = await submit();
    const [, later] = await atOnce(id, doings);
    expect([await state(id), await approvals.approvalState(id)]).toEqual([ends, approval]);
    expect(await approvals.jobsOf(id)).toHaveLength(ends === "queued" ? 1 : 0);
    const text = name.startsWith("edit") ? "Pay later" : expect.stringMatching(/^Pay (now|twice)$/);
    expect((await approvals.message(id))?.text).toEqual(text);
    if (!name.endsWith("cancel")) {
      expect(later).toEqual({ refused: ends === "awaiting_approval" ? "changed" : "over" });
    }
  });

  test("what nobody decided in time is rejected, each once; too late is too late", async () => {
    await approvals.rule(scope);
    const [due, left] = [await submit(), await submit()];
    const own = await submit({ expiresAt: new Date(Date.now() - 1_000) });
    await world.db.query("UPDATE approvals SET expires_at = now() WHERE message_id = $1", [due]);
    for (const id of [due, own]) expect(await say(id, first)).toEqual({ refused: "expired" });
    // Somebody is deciding on it at this moment.
    await world.db.transaction(async (tx) => {
      await tx.query("SELECT FROM outbound_messages WHERE id = $1 FOR UPDATE", [due]);
      expect([await keeper().runOnce(), await state(own)]).toEqual([1, "rejected"]);
    });
    expect([await keeper().runOnce(), await keeper().runOnce()]).toEqual([1, 0]);
    expect(await approvals.message(due)).toMatchObject({
      state: "rejected",
      error: "Nobody approved it in time: it expired.",
    });
    expect([await approvals.approvalState(due), await state(left)]).toEqual([
      "expired",
      "awaiting_approval",
    ]);
    expect(await approvals.audited(scope, "approval.expired")).toHaveLength(2);
  });
});
