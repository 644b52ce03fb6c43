import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../../test/support/conversations-world.ts";
import { dialogsWorld } from "../../../test/support/dialogs-world.ts";
import { fc, runs } from "../../../test/support/property.ts";
import type { Scope } from "../../conversations/index.ts";
import { MAX_CARDS } from "./reviewers.ts";
import { stateRule } from "./step.ts";
import { TEXTS_EN } from "./texts-en.ts";

let world: World;
let people: ReturnType<typeof dialogsWorld>;
let scope: Scope;
const [EMMA, OLA, OTTO, STRANGER] = [101, 102, 103, 104];
const LINK = "https://example.com/report";
const ASKING: ReadonlySet<string> = new Set(["awaiting-file", "choosing-control"]);

beforeAll(async () => {
  world = await createWorld();
  people = dialogsWorld(world);
});
afterAll(() => world.drop());

describe("any order of what people do, and of crashes", () => {
  type Op =
    | { do: "write"; text: string }
    | { do: "photo"; album?: string }
    | { do: "place"; liveS?: number }
    | { do: "press"; which: number; age: number; by: number | "owner"; elsewhere: boolean }
    | { do: "pass"; hours: number }
    // Another officer, who reviews what waits already.
    | { do: "join" };
  const op: fc.Arbitrary<Op & { crashes: boolean }> = fc
    .tuple(
      fc.oneof(
        {
          weight: 2,
          arbitrary: fc.record({
            do: fc.constant("write" as const),
            text: fc.constantFrom("/evidence", "/evidence document Report", "some words", LINK),
          }),
        },
        {
          weight: 2,
          arbitrary: fc.record({
            do: fc.constant("photo" as const),
            album: fc.constantFrom(undefined, "a", "b"),
          }),
        },
        {
          weight: 1,
          arbitrary: fc.record({
            do: fc.constant("place" as const),
            liveS: fc.constantFrom(undefined, 900),
          }),
        },
        {
          weight: 6,
          arbitrary: fc.record({
            do: fc.constant("press" as const),
            which: fc.nat(6),
            age: fc.constantFrom(0, 0, 0, 1, 4),
            by: fc.constantFrom("owner" as const, "owner" as const, "owner" as const, STRANGER),
            elsewhere: fc.constantFrom(false, false, false, true),
          }),
        },
        {
          weight: 1,
          arbitrary: fc.record({
            do: fc.constant("pass" as const),
            hours: fc.constantFrom(1, 21, 30),
          }),
        },
        { weight: 1, arbitrary: fc.constant({ do: "join" as const }) },
      ),
      fc.boolean(),
    )
    .map(([what, crashes]) => ({ ...what, crashes }));

  test("ends in a legal state, with every effect once and nothing elsewhere", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(op, { minLength: 6, maxLength: 16 }), async (ops) => {
        scope = await world.newScope();
        await people.allow(scope, "location", "link");
        const other = await world.newScope();
        await people.member(scope, OLA, "Ola", "officer");
        for (const by of [EMMA, STRANGER, OLA]) await people.write(other, by, "hello");
        await people.write(scope, STRANGER, "hello");
        const seen: Array<{ data: string; owner: number }> = [];
        const look = async (owner: number) => {
          for (const { data } of (await people.cards(scope, owner)).slice(0, 2).reverse()) {
            seen.push(...Object.values(data).map((one) => ({ data: one, owner })));
          }
        };
        let hasJoined = false;
        let presses = 0;
        let photos = 0;
        let places = 0;
        let links = 0;
        for (const { crashes, ...one } of ops) {
          if (one.do === "write") {
            // Of those that words are for, the one that was changed last has them.
            const asking = (await people.cards(scope, EMMA)).find(({ state }) => ASKING.has(state));
            if (one.text === LINK && asking?.state === "awaiting-file") links++;
            await people.write(scope, EMMA, one.text, { crashes });
          }
          if (one.do === "place") {
            places++;
            const location = { latitude: 1, longitude: 2, live_period: one.liveS };
            await people.sent(scope, EMMA, { location }, { crashes });
          }
          if (one.do === "photo") {
            photos++;
            await people.photo(scope, EMMA, { album: one.album, crashes });
          }
          if (one.do === "pass") {
            people.pass(one.hours * 3_600_000);
            await people.fetchAll(scope);
            // Of two processes.
            await Promise.all([people.keeper.runOnce(), people.keeper.runOnce()]);
          }
          if (one.do === "join" && !hasJoined) {
            hasJoined = true;
            await people.member(scope, OTTO, "Otto", "officer");
          }
          if (one.do === "press") {
            for (const owner of [OTTO, OLA, EMMA]) await look(owner);
            const chosen = seen.at(-1 - one.which - 7 * one.age);
            const { data, owner } = chosen ?? { data: "hg:d:none", owner: EMMA };
            const by = one.by === "owner" ? owner : one.by;
            const where = one.elsewhere ? other : scope;
            // Twice at once, as of an impatient thumb.
            const [first, second] = await Promise.all([
              people.press(where, by, data, { crashes }),
              people.press(where, by, data),
              // While time ends cards, and gives new ones.
              crashes ? people.keeper.runOnce() : undefined,
            ]);
            const said = [first, second];
            presses += 2;
            expect(said.map(({ length }) => length)).toEqual([1, 1]);
            if (one.elsewhere || by === STRANGER) {
              expect(said).toEqual([[TEXTS_EN.answers.unknown], [TEXTS_EN.answers.unknown]]);
            }
          }
        }
        await people.keeper.runOnce();
        await holds(other, { presses, photos, places, links });
      }),
      { numRuns: runs(12) },
    );
  });

  async function holds(
    other: Scope,
    sent: { presses: number; photos: number; places: number; links: number },
  ): Promise<void> {
    const { workspaceId } = scope;
    const dialogs = await people.rows<{
      kind: "evidence_collection" | "compliance_review";
      state: string;
      version: number;
      is_over: boolean;
      sent: number;
      edits: number;
    }>(
      `SELECT d.kind, d.state, d.version, d.ended_at IS NOT NULL AS is_over,
         (SELECT count(*)::int FROM outbound_messages m
          WHERE m.workspace_id = d.workspace_id AND m.id = d.card_id) AS sent,
         (SELECT count(*)::int FROM outbound_messages m
          WHERE m.workspace_id = d.workspace_id AND m.target_id = d.card_id) AS edits
       FROM dialogs d WHERE d.workspace_id = $1`,
      workspaceId,
    );
    for (const { kind, state, version, is_over, sent: cards, edits } of dialogs) {
      const rule = stateRule({ kind, state } as Parameters<typeof stateRule>[0]);
      expect([rule !== undefined, rule?.isEnd === true, cards]).toEqual([true, is_over, 1]);
      expect(edits).toBeLessThan(version);
    }
    const open = dialogs.filter(({ kind, is_over }) => kind === "evidence_collection" && !is_over);
    expect(open.length).toBeLessThanOrEqual(5);
    const reviews = await people.rows<{ cards: number; open: number; revisions: number }>(
      `SELECT count(*)::int AS cards, count(*) FILTER (WHERE ended_at IS NULL)::int AS open,
         count(DISTINCT (evidence_id, data ->> 'revision'))::int AS revisions
       FROM dialogs WHERE workspace_id = $1 AND kind = 'compliance_review' GROUP BY chat_id`,
      workspaceId,
    );
    for (const { cards, open: shown, revisions } of reviews) {
      expect([cards, shown <= MAX_CARDS]).toEqual([revisions, true]);
    }
    const [found] = await people.rows<Record<string, number>>(
      `SELECT
         (SELECT count(*)::int FROM evidence WHERE workspace_id = $1) AS evidence,
         (SELECT count(DISTINCT evidence_id)::int FROM dialogs WHERE workspace_id = $1) AS owned,
         (SELECT count(*)::int FROM evidence_files WHERE workspace_id = $1) AS files,
         (SELECT count(*)::int FROM evidence_files WHERE workspace_id = $1 AND kind = 'photo') AS photos,
         (SELECT count(*)::int FROM evidence_files WHERE workspace_id = $1 AND kind = 'location') AS places,
         (SELECT count(*)::int FROM evidence_files WHERE workspace_id = $1 AND kind = 'link') AS links,
         (SELECT count(*)::int FROM evidence WHERE workspace_id = $1 AND description LIKE 'http%') AS mistaken,
         (SELECT count(*)::int FROM jobs WHERE workspace_id = $1 AND queue = 'evidence') AS downloads,
         (SELECT count(*)::int FROM outbound_messages WHERE workspace_id IN ($1, $2)
            AND kind = 'callback-answer') AS answers,
         (SELECT count(*)::int FROM dialogs WHERE workspace_id = $2) AS elsewhere,
         (SELECT count(*)::int FROM evidence_revisions
          WHERE workspace_id = $1 AND decision = 'approved') AS approvals,
         (SELECT count(*)::int FROM evidence WHERE workspace_id = $1
            AND status IN ('in_review', 'approved', 'rejected')
            AND told IS DISTINCT FROM revision || '/' || status) AS untold`,
      workspaceId,
      other.workspaceId,
    );
    expect(found).toMatchObject({
      owned: found?.evidence,
      downloads: found?.files,
      answers: sent.presses,
      elsewhere: 0,
      untold: 0,
      places: sent.places,
      links: sent.links,
      mistaken: 0,
    });
    const said = await people.said(scope, EMMA);
    const told = (words: string) => said.filter((text) => text.includes(words)).length;
    expect((found?.photos ?? 0) + told("this file was not taken")).toBe(sent.photos);
    expect(told("was approved by Ola.")).toBeLessThanOrEqual(found?.approvals ?? 0);
  }
});
