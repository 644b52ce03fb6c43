import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../../test/support/conversations-world.ts";
import { dialogsWorld } from "../../../test/support/dialogs-world.ts";
import { arriving, GROUP, leaving, SUPERGROUP } from "../../../test/support/telegram-updates.ts";
import { submitMany } from "../../../test/support/waiting-evidence.ts";
import type { Scope } from "../../conversations/index.ts";
import { MAX_CARDS, workspacesToReview } from "./reviewers.ts";

let world: World;
let people: ReturnType<typeof dialogsWorld>;
let scope: Scope;
const [EMMA, OLA, OTTO] = [101, 102, 103];
const DAY_MS = 86_400_000;

beforeAll(async () => {
  world = await createWorld();
  people = dialogsWorld(world);
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
});

const submit = (count: number, by?: string) =>
  submitMany(world.db, scope.workspaceId, { count, by });
const turn = () => people.keeper.runOnce();
/** Pieces of evidence whose cards ask for a decision in a chat, and all that ever did. */
const asked = async (chatId: number, of = scope) => {
  const shown = await people.cards(of, chatId);
  const reviews = shown.filter(({ text }) => text.startsWith("Review of"));
  return {
    open: reviews.filter(({ state }) => state === "deciding").map((card) => card.evidenceId),
    all: reviews.map((card) => card.evidenceId),
  };
};
const set = (sql: string, ...params: unknown[]) =>
  world.db.query(`UPDATE ${sql} AND workspace_id = $1`, [scope.workspaceId, ...params]);
const decide = (ids: readonly string[]) =>
  set("evidence SET status = 'approved' WHERE id = ANY ($2::uuid[])", ids);

describe("who comes later is given what waits already", () => {
  test("a new officer: the oldest first, and once, of whichever two keepers give it", async () => {
    const ids = await submit(3);
    await turn();
    await people.member(scope, OLA, "Ola", "officer");
    await Promise.all([turn(), turn()]);
    await turn();
    expect((await asked(OLA)).all.sort()).toEqual([...ids].sort());
    const numbers = (await people.said(scope, OLA)).flatMap(
      (text) => /^Review of EV-(\d+)/.exec(text)?.[1] ?? [],
    );
    expect(numbers).toHaveLength(3);
    expect(numbers).toEqual([...numbers].sort((one, other) => Number(one) - Number(other)));
  });

  test("a colleague who is given the role", async () => {
    const ids = await submit(1);
    await people.member(scope, OTTO, "Otto");
    await turn();
    expect((await asked(OTTO)).all).toEqual([]);
    await set("people SET role = 'officer' WHERE telegram_user_id = $2", OTTO);
    await turn();
    expect((await asked(OTTO)).all).toEqual(ids);
  });

  test("an officer who is bound to their account", async () => {
    const ids = await submit(1);
    const id = await people.member(scope, OLA, "Ola", "officer");
    const bind = (userId: number | null) =>
      set(
        `people SET telegram_user_id = $3::bigint,
           bound_at = CASE WHEN $3::bigint IS NOT NULL THEN now() END WHERE id = $2`,
        id,
        userId,
      );
    await bind(null);
    await turn();
    expect((await asked(OLA)).all).toEqual([]);
    await bind(OLA);
    await turn();
    expect((await asked(OLA)).all).toEqual(ids);
  });

  test("an officer who opens a chat with the bot that it came by", async () => {
    const other = await world.newConnector(scope.workspaceId);
    await people.member(other, OLA, "Ola", "officer");
    await people.photo(scope, EMMA);
    for (const label of ["Skip", "Submit for review"]) {
      await people.press(scope, EMMA, (await people.card(scope, EMMA)).data[label]);
    }
    await turn();
    expect([(await asked(OLA)).all, (await asked(OLA, other)).all]).toEqual([[], []]);
    await people.write(scope, OLA, "hello");
    await turn();
    expect([(await asked(OLA)).all.length, (await asked(OLA, other)).all]).toEqual([1, []]);
  });

  test("a group that is linked for compliance, and which becomes a supergroup", async () => {
    const ids = await submit(1);
    await turn();
    await world.link(scope, GROUP);
    await set("chats SET purpose = 'compliance' WHERE chat_id = $2", GROUP);
    await turn();
    expect((await asked(GROUP)).open).toEqual(ids);
    await world.ingest(scope, leaving, arriving);
    await turn();
    expect((await asked(SUPERGROUP)).all).toEqual([]);
  });
});

describe("what is given", () => {
  test("no more than a few cards at a time, and as they end the next; the last says how much waits", async () => {
    const ids = await submit(25);
    await people.member(scope, OLA, "Ola", "officer");
    await turn();
    await turn();
    const first = ids.slice(0, MAX_CARDS);
    expect((await asked(OLA)).all.sort()).toEqual([...first].sort());
    const more = async () =>
      (await people.said(scope, OLA)).flatMap((text) => /\n(.*) more wait/.exec(text)?.[1] ?? []);
    expect(await more()).toEqual(["15"]);

    const [left] = (await people.cards(scope, OLA)).filter(({ state }) => state === "deciding");
    await people.press(scope, OLA, left?.data["Leave it to others"]);
    const decided = first.filter((id) => id !== left?.evidenceId).slice(0, 2);
    await decide(decided);
    await turn();
    const then = await asked(OLA);
    expect(then.all.slice().sort()).toEqual(ids.slice(0, 13).sort());
    expect(then.open).toHaveLength(MAX_CARDS);
    // Two were decided; the one that was left to others still waits.
    expect(await more()).toEqual(["15", "13"]);

    people.pass(8 * DAY_MS);
    await turn();
    await turn();
    const last = await asked(OLA);
    expect(last.open).toHaveLength(MAX_CARDS);
    expect(new Set(last.all).size).toBe(last.all.length);
  });

  test("nothing of one's own, and by one bot what came by the API", async () => {
    const id = await people.member(scope, OLA, "Ola", "officer");
    const other = await world.newConnector(scope.workspaceId);
    await people.write(other, OLA, "hello");
    await submit(MAX_CARDS + 1, `person:${id}`);
    await submit(1, `telegram:${OLA}`);
    // Their account was somebody else's then.
    const before = await submit(1, "person:00000000-0000-4000-8000-000000000009");
    await set(
      "evidence_revisions SET submitted_account = $2 WHERE evidence_id = ANY ($3::uuid[])",
      OLA,
      before,
    );
    const ids = await submit(1);
    await turn();
    // Seen at the first bot again: nothing is asked for a second time.
    await set(
      "chats SET updated_at = now() + interval '1 h' WHERE connector_id = $2",
      scope.connectorId,
    );
    await turn();
    const shown = [...(await asked(OLA)).all, ...(await asked(OLA, other)).all];
    expect(shown).toEqual(ids);
  });

  test("what somebody decides on at this moment is left, and nobody is kept waiting", async () => {
    const ids = await submit(2);
    await people.member(scope, OLA, "Ola", "officer");
    const later = await submit(1);
    await world.db.query("UPDATE evidence SET told = '1/in_review' WHERE workspace_id = $1", [
      scope.workspaceId,
    ]);
    await world.db.transaction(async (tx) => {
      await tx.query("UPDATE evidence SET status = 'approved' WHERE id = $1", [ids[0]]);
      await turn();
    });
    expect((await asked(OLA)).all.sort()).toEqual([ids[1], ...later].sort());
    await turn();
    expect((await asked(OLA)).open.sort()).toEqual([ids[1], ...later].sort());
  });

  test("workspaces have their turns, however many there are", async () => {
    const scopes = [await world.newScope(), await world.newScope(), scope];
    for (const { workspaceId } of scopes) {
      await submitMany(world.db, workspaceId, { count: 3, told: true });
    }
    const seen: string[] = [];
    for (let after: string | null = null; ; ) {
      const next: string[] = await workspacesToReview(world.db, after, 2);
      seen.push(...next);
      if (next.length < 2) break;
      after = next.at(-1) ?? null;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(scopes.map(({ workspaceId }) => workspaceId)));
  });
});
