import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { approvalsWorld } from "../../test/support/approvals-world.ts";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import {
  arriving,
  GROUP,
  group,
  leaving,
  SUPERGROUP,
} from "../../test/support/telegram-updates.ts";
import type { Scope } from "../conversations/index.ts";
import { type NewMessage, replaceMessage } from "../outbound/index.ts";

let world: World;
let approvals: ReturnType<typeof approvalsWorld>;
let scope: Scope;
const [ADA, BEN, EVE, STRANGER] = [11, 12, 13, 14];

beforeAll(async () => {
  world = await createWorld();
  approvals = approvalsWorld(world);
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
  await world.link(scope, GROUP);
});

interface Asked {
  id: string;
  approve: string;
  reject: string;
}

/** A message that waits for Ada and Ben, who are asked in their group; Eve is of the team, and not asked. */
async function asked(
  rule: { approvals?: number } = {},
  message: Partial<NewMessage> = {},
): Promise<Asked> {
  const personIds = [
    await approvals.person(scope, { userId: ADA, name: "Ada" }),
    await approvals.person(scope, { userId: BEN, name: "Ben" }),
  ];
  await approvals.person(scope, { userId: EVE, name: "Eve" });
  const chat = { connectorId: scope.connectorId, chatId: String(GROUP) };
  await approvals.rule(scope, { ...rule, personIds, chat });
  const submittedBy = await approvals.key(scope, "Newsletter");
  return buttonsOf(await approvals.submit(scope, { submittedBy, ...message }));
}

async function buttonsOf(id: string): Promise<Asked> {
  const buttons = (await notices()).at(-1)?.buttons?.flat() ?? [];
  const data = (text: string) => buttons.find((button) => button.text === text)?.data ?? "";
  return { id, approve: data("Approve"), reject: data("Reject") };
}

const notices = () => approvals.said(scope, GROUP);
const state = async (id: string) => (await approvals.message(id))?.state;
const press = (by: number, data: string, chat = group(), of = scope) =>
  approvals.press(of, { by, data, chat });

describe("approvers are asked in their chat", () => {
  test("nobody makes the request say something else while it waits to be sent", async () => {
    const { id } = await asked();
    const [notice] = await notices();
    const ref = { workspaceId: scope.workspaceId, id: notice?.id ?? "" };
    const said = { text: "Lunch at noon?", entities: [], partLength: 4_096 };
    const lanes = { holdIn: () => Promise.reject(new Error("a text needs no lane")) };
    const replaced = world.db.transaction((tx) => replaceMessage(tx, lanes, ref, { said }));
    await expect(replaced).rejects.toThrow("the bot's own");
    expect((await notices())[0]?.text).toMatch(/Pay now$/);
    expect(await state(id)).toBe("awaiting_approval");
  });

  test("what, by whom and where to; a press approves, and the chat is told who it was", async () => {
    const { id, approve, reject } = await asked();
    const [notice] = await notices();
    expect(notice?.text).toMatch(/^Approval is needed: Four eyes\nFrom: Newsletter\nTo: 5\n/);
    expect(notice?.text).toMatch(/\n\nPay now$/);
    for (const data of [approve, reject]) expect(data).toMatch(/^approval:[\w-]{22}$/);
    await world.db.query(
      "UPDATE outbound_messages SET telegram_message_ids = '{70}' WHERE id = $1",
      [notice?.id],
    );
    expect(await press(ADA, approve)).toEqual(["Approved: it is on its way."]);
    expect(await state(id)).toBe("queued");
    expect((await notices()).at(-1)).toMatchObject({ text: "Approved by Ada.", reply_to: "70" });
    const [entry] = await approvals.audited(scope, "approval.approved");
    expect(entry).toMatchObject({ actor_kind: "telegram_user", actor_id: String(ADA) });
  });

  test("a press rejects", async () => {
    const { id, reject } = await asked();
    expect(await press(BEN, reject)).toEqual(["Rejected: it is not sent."]);
    expect(await state(id)).toBe("rejected");
  });

  test("two in one batch are two; the same one twice is one", async () => {
    const { id, approve: data } = await asked({ approvals: 2 });
    const by = (who: number) => ({ by: who, data, chat: group() });
    expect(await approvals.press(scope, by(ADA), by(ADA))).toEqual([
      "Noted. One more approval is needed.",
      "You have decided on this text already.",
    ]);
    expect(await state(id)).toBe("awaiting_approval");
    expect(await approvals.press(scope, by(BEN), by(ADA))).toEqual([
      "Approved: it is on its way.",
      "This has been decided already.",
    ]);
    expect(await approvals.jobsOf(id)).toHaveLength(1);
  });

  test("of what cannot be seen whole nobody approves there", async () => {
    const { approve, reject } = await asked({}, { text: "𝄞".repeat(2_040) });
    expect([approve, reject !== ""]).toEqual(["", true]);
    const [notice] = await notices();
    expect(notice?.text.length).toBeLessThanOrEqual(4_096);
    expect(notice?.text).toMatch(/𝄞\n…\n\(Shortened\./);
  });

  test("what changes how it is read stands above Approve, too", async () => {
    const buttons = [
      [{ text: "Ok", data: "refund" }],
      [{ text: "\u202eoK", url: "https://b.example" }],
    ];
    await asked({}, { replyTo: "17", threadId: "3", deleteAfterS: 60, isSilent: true, buttons });
    const [notice] = await notices();
    for (const line of [
      "In topic: 3",
      "In reply to: message 17 there",
      "Deleted again: 60 s after it was sent",
      "Without a sound",
      "[Ok] answers refund",
      "[ oK] https://b.example",
    ]) {
      expect(notice?.text.split("\n")).toContain(line);
    }
  });

  test("a message whose group becomes a supergroup is the one that they were asked about", async () => {
    const { id, approve } = await asked({ approvals: 2 }, { chatId: "-5" });
    await press(ADA, approve);
    await world.db.query("UPDATE outbound_messages SET chat_id = '-1000000000005' WHERE id = $1", [
      id,
    ]);
    expect(await press(BEN, approve)).toEqual(["Approved: it is on its way."]);
    expect(await state(id)).toBe("queued");
  });

  test("in a group that became a supergroup the button is the same", async () => {
    const { id, approve } = await asked();
    await world.ingest(scope, leaving, arriving);
    await press(ADA, approve, group(SUPERGROUP));
    expect(await state(id)).toBe("queued");
  });
});

describe("a press is refused, shortly, and changes nothing", () => {
  const UNKNOWN = "This button is not valid.";
  const NOT_YOURS = "Only its approvers can decide this.";
  const OTHER_GROUP = -700;

  test.each<[string, (of: Asked) => Promise<string[]>, string, string | null]>([
    ["forged", () => press(ADA, `approval:${"a".repeat(22)}`), UNKNOWN, null],
    [
      "in another chat",
      async ({ approve }) => {
        await world.link(scope, OTHER_GROUP);
        return press(ADA, approve, group(OTHER_GROUP));
      },
      UNKNOWN,
      "elsewhere",
    ],
    [
      "at another bot of the workspace",
      async ({ approve }) => {
        const other = await world.newConnector(scope.workspaceId);
        await world.link(other, GROUP);
        return press(ADA, approve, group(), other);
      },
      UNKNOWN,
      "elsewhere",
    ],
    [
      "at another workspace's bot",
      async ({ approve }) => {
        const other = await world.newScope();
        await world.link(other, GROUP);
        await approvals.person(other, { userId: ADA });
        return press(ADA, approve, group(), other);
      },
      UNKNOWN,
      null,
    ],
    ["by a stranger", ({ approve }) => press(STRANGER, approve), NOT_YOURS, "not-approver"],
    ["by one of the team", ({ approve }) => press(EVE, approve), NOT_YOURS, "not-approver"],
    [
      "too late",
      async ({ id, approve }) => {
        await world.db.query("UPDATE approvals SET expires_at = now() WHERE message_id = $1", [id]);
        return press(ADA, approve);
      },
      "It is too late: nobody decided in time.",
      "expired",
    ],
    [
      "of a text that was changed since",
      async ({ id, approve }) => {
        await world.db.query("UPDATE outbound_messages SET text = 'Pay twice' WHERE id = $1", [id]);
        return press(ADA, approve);
      },
      "The message was changed since. Look at the newest request.",
      "changed",
    ],
    [
      "by its author",
      async ({ id, approve }) => {
        await world.db.query(
          `UPDATE outbound_messages m SET submitted_by = 'person:' || p.id FROM people p
           WHERE m.id = $1 AND p.workspace_id = m.workspace_id AND p.telegram_user_id = $2`,
          [id, ADA],
        );
        return press(ADA, approve);
      },
      "Whoever wrote a message does not decide on it.",
      "author",
    ],
  ])("%s", async (_, pressing, answer, why) => {
    const one = await asked();
    expect(await pressing(one)).toEqual([answer]);
    expect(await state(one.id)).toBe("awaiting_approval");
    const refusals = await approvals.audited(scope, "approval.refused");
    expect(refusals.map(({ details }) => (details as { why: string }).why)).toEqual(
      why === null ? [] : [why],
    );
  });

  test("a second time, once it is decided", async () => {
    const { id, approve, reject } = await asked();
    await press(ADA, approve);
    expect(await press(ADA, approve)).toEqual(["This has been decided already."]);
    expect(await press(BEN, reject)).toEqual(["This has been decided already."]);
    expect([await state(id), (await approvals.jobsOf(id)).length]).toEqual(["queued", 1]);
    expect(await approvals.audited(scope, "approval.refused")).toHaveLength(2);
  });

  test("an edit asks anew: the old buttons are of the old text", async () => {
    const { id, approve: old } = await asked({ approvals: 2 });
    const editor = await approvals.key(scope, "Editor");
    const version = await approvals.version(id);
    const edit = { text: "Pay later" };
    await approvals.decide(scope, {
      messageId: id,
      approver: editor,
      version,
      verdict: "edit",
      edit,
    });
    expect(await press(ADA, old)).toEqual([
      "The message was changed since. Look at the newest request.",
    ]);
    await press(ADA, (await buttonsOf(id)).approve);
    expect(await approvals.message(id)).toMatchObject({ state: "queued", text: "Pay later" });
  });
});
