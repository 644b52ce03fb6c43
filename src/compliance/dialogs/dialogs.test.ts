import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../../test/support/conversations-world.ts";
import { dialogsWorld } from "../../../test/support/dialogs-world.ts";
import {
  arriving,
  GROUP,
  group,
  leaving,
  SUPERGROUP,
  type Wire,
} from "../../../test/support/telegram-updates.ts";
import { waitFor } from "../../../test/support/wait-for.ts";
import { submitMany } from "../../../test/support/waiting-evidence.ts";
import type { Scope } from "../../conversations/index.ts";
import { assessData } from "./button-data.ts";
import { holdOpen } from "./dialog-rows.ts";
import { findToTell } from "./tell-standing.ts";
import { TEXTS_EN } from "./texts-en.ts";

let world: World;
let people: ReturnType<typeof dialogsWorld>;
let scope: Scope;
const [EMMA, OLA, OTTO, STRANGER] = [101, 102, 103, 104];
const DAY_MS = 86_400_000;

beforeAll(async () => {
  world = await createWorld();
  people = dialogsWorld(world);
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
});

const card = (by: number) => people.card(scope, by);
/** Presses what the newest card of their chat shows. */
const press = async (by: number, label: string) =>
  people.press(scope, by, (await card(by)).data[label]);
const evidence = () =>
  people.rows<{ status: string; revision: number; description: string; control_id: string }>(
    "SELECT status, revision, description, control_id FROM evidence WHERE workspace_id = $1 ORDER BY number",
    scope.workspaceId,
  );
const count = (table: string, of = scope) => world.count(table, of);

async function control(code: string, title = "Access"): Promise<string> {
  const [row] = await people.rows<{ id: string }>(
    "INSERT INTO controls (workspace_id, code, title) VALUES ($1, $2, $3) RETURNING id",
    scope.workspaceId,
    code,
    title,
  );
  return row?.id ?? "";
}

describe("collecting evidence", () => {
  test("by command: one card goes from the record to what was submitted", async () => {
    await control("A-1");
    const id = await control("CC6.1", "Reviews of access");
    await people.write(scope, EMMA, "/evidence");
    expect((await card(EMMA)).text).toContain('/evidence document "Quarterly compliance report"');
    expect(await press(EMMA, "Cancel")).toEqual([""]);
    expect(await evidence()).toEqual([]);

    await people.write(scope, EMMA, '/evidence document "Access review"');
    const made = await card(EMMA);
    expect(made.text).toMatch(/^Evidence record created\.\nID: EV-\d+ \([0-9a-f-]{36}\)/);
    expect(Object.keys(made.data)).toEqual(["Upload document", "Upload photo", "Cancel"]);
    await press(EMMA, "Upload document");
    expect((await card(EMMA)).text).toMatch(/^Please upload the file for evidence EV-\d+\./);
    await people.photo(scope, EMMA);
    await people.write(scope, EMMA, "review acc");
    await press(EMMA, "CC6.1 Reviews of access");
    expect(await press(EMMA, "Submit for review")).toEqual(["Submitted for review."]);

    const submitted = await card(EMMA);
    expect(submitted.cardId).toBe(made.cardId);
    expect(submitted).toMatchObject({ state: "submitted", data: {} });
    expect(await evidence()).toEqual([
      { status: "in_review", revision: 1, description: "Access review", control_id: id },
    ]);
    expect(await press(EMMA, "Submit for review")).toEqual([TEXTS_EN.answers.unknown]);
    // What is written now is for whoever gives support.
    await people.write(scope, EMMA, "thanks");
    expect((await people.said(scope, EMMA)).at(-1)).toContain("Our team will answer here");
  });

  test("an album is one piece of evidence, whenever its messages come", async () => {
    await people.photo(scope, EMMA, { album: "x" });
    await people.photo(scope, EMMA, { album: "x", caption: "Signed form" });
    expect((await people.cards(scope, EMMA)).length).toBe(1);
    await press(EMMA, "Skip");
    await press(EMMA, "Submit for review");
    const other = await world.newScope();
    await people.photo(other, EMMA, { album: "x" });
    await people.photo(scope, EMMA, { album: "x" });
    expect(await evidence()).toMatchObject([{ status: "draft", description: "Signed form" }]);
    expect(await card(EMMA)).toMatchObject({ state: "confirming" });
    expect([await count("evidence_files"), await count("evidence", other)]).toEqual([3, 1]);
    const downloads = await people.rows(
      "SELECT 1 AS one FROM jobs WHERE workspace_id = $1 AND queue = 'evidence'",
      scope.workspaceId,
    );
    expect(downloads).toHaveLength(3);
  });

  test("in words: what is too large, of another kind, or from whom nothing is taken", async () => {
    const told = async (fields: Wire) => {
      await world.db.query(
        `INSERT INTO evidence_settings (workspace_id, max_bytes) VALUES ($1, 999)
         ON CONFLICT (workspace_id) DO NOTHING`,
        [scope.workspaceId],
      );
      await people.sent(scope, EMMA, fields);
      return (await people.said(scope, EMMA)).at(-1);
    };
    const file = { file_id: "f", file_unique_id: "u" };
    const document = { ...file, file_size: 1_000, file_name: "a\u202eb.pdf" };
    expect(await told({ document })).toBe("“a b.pdf” is too large: at most 999 bytes are taken.");
    expect(await told({ voice: { ...file, duration: 1 } })).toContain(
      "voice messages are not taken",
    );
    expect(await told({ location: { latitude: 1, longitude: 2 } })).toContain(
      "places are not taken",
    );
    await people.member(scope, OLA, "Ola", "auditor");
    await people.photo(scope, OLA);
    expect((await people.said(scope, OLA)).at(-1)).toContain("You may not hand in evidence here.");
    await world.db.query("UPDATE chats SET purpose = 'support' WHERE connector_id = $1", [
      scope.connectorId,
    ]);
    await people.write(scope, EMMA, "/evidence document Report");
    expect((await people.said(scope, EMMA)).at(-1)).toContain("This chat is for support");
    expect(await count("evidence")).toBe(0);
  });

  test("in a group for compliance, which may become a supergroup in between", async () => {
    await world.link(scope, GROUP);
    await people.write(scope, EMMA, "/evidence document Report", { chat: group() });
    expect((await people.said(scope, GROUP)).at(-1)).toContain("in a private chat with me");
    await world.db.query("UPDATE chats SET purpose = 'compliance' WHERE connector_id = $1", [
      scope.connectorId,
    ]);
    await people.photo(scope, EMMA, { chat: group() });
    const shown = await people.card(scope, GROUP);
    expect(shown.text).toContain("write in reply to this message");
    const skip = shown.data.Skip;
    expect(await people.press(scope, STRANGER, skip, { chat: group() })).toEqual([
      TEXTS_EN.answers.notYours,
    ]);
    await world.ingest(scope, leaving, arriving);
    const chat = group(SUPERGROUP);
    const twice = await Promise.all([1, 2].map(() => people.press(scope, EMMA, skip, { chat })));
    expect(twice.flat().sort()).toEqual(["", TEXTS_EN.answers.changed]);
    const moved = await people.card(scope, SUPERGROUP);
    expect(moved).toMatchObject({ state: "confirming", dialogId: shown.dialogId });
    expect(moved.cardId).not.toBe(shown.cardId);
  });

  test("two batches take people's chats in one order, whoever pressed first", async () => {
    for (const by of [EMMA, OLA]) await people.write(scope, by, "/evidence");
    const [emma, ola] = [(await card(EMMA)).data.Cancel, (await card(OLA)).data.Cancel];
    let pressed: Promise<void> = Promise.resolve();
    const hold = "SELECT 1 FROM conversations WHERE connector_id = $1 AND chat_id = $2 FOR UPDATE";
    await world.db.transaction(async (tx) => {
      await tx.query(hold, [scope.connectorId, EMMA]);
      pressed = people.pressTogether(scope, [
        [OLA, ola],
        [EMMA, emma],
      ]);
      await waitFor(
        async () =>
          (
            await world.owner.query(
              `SELECT 1 FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'`,
            )
          ).length === 1,
        { what: "the presses to wait for the first chat" },
      );
      await tx.query(`${hold} NOWAIT`, [scope.connectorId, OLA]);
    });
    await pressed;
    expect([(await card(EMMA)).state, (await card(OLA)).state]).toEqual(["cancelled", "cancelled"]);
  });

  test("with a sixth the oldest is ended; after a reminder a card expires", async () => {
    for (let n = 1; n <= 6; n++) await people.write(scope, EMMA, `/evidence document ${n}`);
    const states = (await people.cards(scope, EMMA)).map(({ state }) => state);
    expect(states.sort()).toEqual(["cancelled", ...Array(5).fill("ready")]);
    const said = (await people.said(scope, EMMA)).length;
    people.pass(DAY_MS - 3_600_000);
    await people.keeper.runOnce();
    await people.keeper.runOnce();
    const reminders = (await people.said(scope, EMMA)).slice(said);
    expect(reminders).toHaveLength(5);
    expect(reminders[0]).toMatch(/^EV-\d+ still waits for your next step/);
    people.pass(DAY_MS);
    await people.keeper.runOnce();
    const shown = await people.cards(scope, EMMA);
    expect(shown.filter(({ state }) => state === "expired")).toHaveLength(5);
    expect(shown.map(({ data }) => data)).toEqual(Array(6).fill({}));
    // A draft is gone on with by whoever began it.
    const number = /EV-\d+/.exec(shown[0]?.text ?? "")?.[0] ?? "";
    await people.write(scope, STRANGER, `/evidence ${number}`);
    expect((await people.said(scope, STRANGER)).at(-1)).toContain(
      "You have begun no such evidence",
    );
    await people.write(scope, EMMA, `/evidence ${number}`);
    expect(await card(EMMA)).toMatchObject({
      state: "awaiting-file",
      evidenceId: shown[0]?.evidenceId,
    });
  });
});

describe("evidence that goes on elsewhere", () => {
  const becomes = (status: string) =>
    world.db.query("UPDATE evidence SET status = $2 WHERE workspace_id = $1", [
      scope.workspaceId,
      status,
    ]);

  test("what is looked at, or was approved, keeps its control and its words", async () => {
    await control("A-1");
    await people.photo(scope, EMMA);
    await becomes("in_review");
    expect(await press(EMMA, "A-1 Access")).toEqual([TEXTS_EN.collection.refused["not-draft"]]);
    expect(await evidence()).toMatchObject([{ status: "in_review", control_id: null }]);
    expect(await card(EMMA)).toMatchObject({ state: "submitted", data: {} });
    expect((await card(EMMA)).text).toContain("Control: none");

    const another = await world.newScope();
    await people.write(another, EMMA, "/evidence document Report");
    await people.press(another, EMMA, (await people.card(another, EMMA)).data["Upload photo"]);
    await world.db.query("UPDATE evidence SET status = 'approved' WHERE workspace_id = $1", [
      another.workspaceId,
    ]);
    await people.write(another, EMMA, "Another report");
    const [kept] = await people.rows<{ description: string }>(
      "SELECT description FROM evidence WHERE workspace_id = $1",
      another.workspaceId,
    );
    expect(kept).toEqual({ description: "Report" });
    expect(await people.card(another, EMMA)).toMatchObject({ state: "approved" });
  });

  test("cards that are still open learn that it was submitted; of two of one person one goes on", async () => {
    await people.photo(scope, EMMA);
    const first = await card(EMMA);
    const number = /EV-\d+/.exec(first.text)?.[0] ?? "";
    await people.write(scope, EMMA, `/evidence ${number}`);
    const states = (await people.cards(scope, EMMA)).map(({ state }) => state);
    expect(states.sort()).toEqual(["cancelled", "confirming"]);
    expect(await people.press(scope, EMMA, first.data.Skip)).toEqual([TEXTS_EN.answers.over]);
    await becomes("in_review");
    await people.keeper.runOnce();
    expect(await card(EMMA)).toMatchObject({ state: "submitted", data: {} });
  });
});

describe("reviewing evidence", () => {
  beforeEach(async () => {
    await people.member(scope, OLA, "Ola", "officer");
    await people.member(scope, OTTO, "Otto", "officer");
    await people.photo(scope, EMMA, { caption: "Form" });
    await press(EMMA, "Skip");
    await press(EMMA, "Submit for review");
    await people.keeper.runOnce();
  });

  test("of two at once one decides; every card and the sender are told", async () => {
    await people.keeper.runOnce();
    const [ola, otto] = [await card(OLA), await card(OTTO)];
    expect([(await people.cards(scope, OLA)).length, ola.state]).toEqual([1, "deciding"]);
    expect(await people.press(scope, OLA, ola.data.Approve)).toEqual([
      "A file of it is not here yet, or could not be fetched. Try again later.",
    ]);
    await people.fetchAll(scope);
    // Somebody else's card, in somebody else's chat.
    expect(await people.press(scope, OLA, otto.data.Approve)).toEqual([TEXTS_EN.answers.unknown]);
    const answers = await Promise.all([
      people.press(scope, OLA, ola.data.Approve),
      people.press(scope, OTTO, otto.data.Approve),
    ]);
    expect(answers.flat().sort()).toEqual(["Approved.", "Somebody else has decided this."]);
    await people.keeper.runOnce();
    const texts = [(await card(OLA)).text, (await card(OTTO)).text];
    expect(texts[0]).toMatch(/\nApproved by (Ola|Otto)\.$/);
    expect(texts[1]).toBe(texts[0]);
    expect((await people.said(scope, EMMA)).at(-1)).toMatch(/^EV-\d+ was approved by O/);
    await people.keeper.runOnce();
    expect(
      (await people.said(scope, EMMA)).filter((text) => /approved by/.test(text)),
    ).toHaveLength(1);
  });

  test("rejected in words, it asks its sender for another file; the old card decides nothing", async () => {
    const old = await card(OTTO);
    await press(OLA, "Reject");
    await people.write(scope, OLA, "The date is missing");
    expect((await card(OLA)).text).toMatch(/Rejected by Ola: The date is missing$/);
    await people.keeper.runOnce();
    expect((await card(EMMA)).text).toMatch(/^EV-\d+ was rejected by Ola: The date is missing\n/);
    await people.photo(scope, EMMA);
    await press(EMMA, "Skip");
    await press(EMMA, "Submit for review");
    await people.keeper.runOnce();
    expect(await people.press(scope, OTTO, old.data.Approve)).toEqual([TEXTS_EN.answers.over]);
    expect(await card(OTTO)).toMatchObject({ state: "deciding" });
    expect((await card(OTTO)).text).toContain("revision 2");
    // Rights are asked again at each press.
    await world.db.query("UPDATE people SET role = 'employee' WHERE workspace_id = $1", [
      scope.workspaceId,
    ]);
    expect(await press(OTTO, "Approve")).toEqual([TEXTS_EN.answers.notReviewer]);
    expect(await evidence()).toMatchObject([{ status: "in_review", revision: 2 }]);
  });

  test("who submits much at once keeps the news of other workspaces by a few", async () => {
    await world.db.query(
      `INSERT INTO evidence (workspace_id, status, revision, created_by)
       SELECT $1, 'in_review', 1, 'key:any' FROM generate_series(1, 30)`,
      [scope.workspaceId],
    );
    const found = await findToTell(world.db, 1_000, { except: [] });
    expect(found.filter(({ workspaceId }) => workspaceId === scope.workspaceId)).toHaveLength(10);
    await people.keeper.runOnce();
    const left = await findToTell(world.db, 1_000, { except: [] });
    expect(left.filter(({ workspaceId }) => workspaceId === scope.workspaceId)).toEqual([]);
  });

  test("of more workspaces than there is room for none is always the last", async () => {
    await people.keeper.runOnce();
    const scopes = [await world.newScope(), await world.newScope(), scope];
    for (const { workspaceId } of scopes) await submitMany(world.db, workspaceId, { count: 3 });
    const seen = new Set<string>();
    for (let n = 0, after: string | undefined; n < 10 && seen.size < scopes.length; n++) {
      const found = await findToTell(world.db, 1, { after, except: [] });
      after = found.at(-1)?.workspaceId;
      if (after !== undefined) seen.add(after);
    }
    expect([...seen].sort()).toEqual(scopes.map(({ workspaceId }) => workspaceId).sort());
  });

  test("whoever may review no more is not asked why, and what they write is for support", async () => {
    await press(OLA, "Reject");
    await world.db.query("UPDATE people SET role = 'employee' WHERE workspace_id = $1", [
      scope.workspaceId,
    ]);
    await people.write(scope, OLA, "hello again");
    expect((await people.said(scope, OLA)).at(-1)).not.toBe(TEXTS_EN.answers.notReviewer);
    expect(await evidence()).toMatchObject([{ status: "in_review" }]);
  });

  test("cards that ask for a press are not looked at when something is written", async () => {
    const place = { ...scope, chatId: String(OLA), threadId: "0" };
    const open = () => world.db.transaction((tx) => holdOpen(tx, place, { userId: String(OLA) }));
    expect(await open()).toEqual([]);
    await press(OLA, "Reject");
    expect(await open()).toHaveLength(1);
  });
});

describe("assessing a risk", () => {
  const risk = async () => {
    const [row] = await people.rows<{ version: number; score: number; treatment: string }>(
      "SELECT version, score, treatment FROM risks WHERE workspace_id = $1",
      scope.workspaceId,
    );
    return row;
  };
  beforeEach(async () => {
    await people.member(scope, OLA, "Ola", "officer");
    await world.db.query(
      "INSERT INTO risks (workspace_id, code, title) VALUES ($1, 'R-1', 'Loss of data')",
      [scope.workspaceId],
    );
    await people.write(scope, OLA, "/risk assess r-1");
  });

  test("step by step; accepting asks why; who changed it meanwhile is not overwritten unseen", async () => {
    for (const label of ["4", "5", "Yes", "2", "3", "Accept"]) await press(OLA, label);
    await people.write(scope, OLA, "Cheap to repair");
    await world.db.query("UPDATE risks SET version = version + 1 WHERE workspace_id = $1", [
      scope.workspaceId,
    ]);
    await press(OLA, "Save");
    expect((await card(OLA)).text).toContain("Somebody changed this risk");
    expect(await risk()).toMatchObject({ score: null });
    const [twice, again] = [(await card(OLA)).data.Save, await press(OLA, "Save")];
    expect(again).toEqual(["Saved."]);
    expect(await people.press(scope, OLA, twice)).toEqual([TEXTS_EN.answers.over]);
    expect(await risk()).toMatchObject({ score: 6, treatment: "accept" });
    const accepted = await people.rows(
      "SELECT reason, score, accepted_by LIKE 'person:%' AS person FROM risk_acceptances WHERE workspace_id = $1",
      scope.workspaceId,
    );
    expect(accepted).toEqual([{ reason: "Cheap to repair", score: 6, person: true }]);
  });

  test("only officers, only in private, also by the button under a risk", async () => {
    const [row] = await people.rows<{ id: string }>(
      "SELECT id FROM risks WHERE workspace_id = $1",
      scope.workspaceId,
    );
    const button = assessData(row?.id ?? "");
    const refused = ["Only compliance officers assess risks."];
    expect(await people.press(scope, EMMA, button)).toEqual(refused);
    expect(await people.press(scope, OLA, button)).toEqual([""]);
    expect(await people.cards(scope, OLA)).toHaveLength(2);
    await people.write(scope, EMMA, "/risk assess R-1");
    expect(await people.said(scope, EMMA)).toEqual(refused);
    await world.link(scope, GROUP);
    await people.write(scope, OLA, "/risk assess R-1", { chat: group() });
    expect((await people.said(scope, GROUP)).at(-1)).toContain("in a private chat");
  });
});
