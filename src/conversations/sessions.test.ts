import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { accessWorld } from "../../test/support/access-world.ts";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { fc, runs } from "../../test/support/property.ts";
import {
  edited,
  GROUP,
  inGroup,
  message,
  PERSON,
  privateChat,
  T0,
  user,
  type Wire,
} from "../../test/support/telegram-updates.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { silentLogger } from "../platform/index.ts";
import { listConversations } from "./conversation-list.ts";
import type { Scope } from "./effects.ts";
import { createSessionCloser, type SessionCloser } from "./session-closer.ts";
import { listSessions } from "./session-list.ts";

let world: World;
let access: ReturnType<typeof accessWorld>;
let closer: SessionCloser;
let scope: Scope;
let lastNumber = 0;

beforeAll(async () => {
  world = await createWorld();
  access = accessWorld(world);
  closer = createSessionCloser({ db: world.db, log: silentLogger, batch: 3 });
});
afterAll(() => world.drop());
beforeEach(async () => {
  // The clock comes by for all workspaces: what earlier tests left is not to be counted.
  await closer.runOnce();
  scope = await world.newScope();
});

const HOUR_S = 3_600;
/** Long ago, so that the clock finds them over; sessions that are to be open are of just now. */
const says = (atS: number, rest: Wire = {}): Wire => {
  lastNumber++;
  return { message: message(lastNumber, "hi", { date: T0 + atS, ...rest }) };
};
const iso = (atS: number) => new Date((T0 + atS) * 1_000).toISOString();
const nowS = () => Math.floor(Date.now() / 1_000) - T0;

async function conversationId(of = scope): Promise<string> {
  const { data } = await listConversations(world.db, of);
  return data[0]?.id ?? "0";
}

/** Oldest first: from, last message, to. */
async function sessions(of = scope): Promise<unknown[]> {
  const request = { workspaceId: of.workspaceId, conversationId: await conversationId(of) };
  const page = await listSessions(world.db, request);
  return (page?.data ?? [])
    .reverse()
    .map(({ startedAt, lastMessageAt, endedAt }) => [startedAt, lastMessageAt, endedAt]);
}

describe("a connector without an end of sessions (the default)", () => {
  test("has one a person, written once, however much is said", async () => {
    await world.ingest(scope, says(0), says(5));
    const written = async () => {
      const [row] = await world.db.query<{ tuple: string }>(
        "SELECT concat(ctid, ' ', xmin) AS tuple FROM sessions WHERE workspace_id = $1",
        [scope.workspaceId],
      );
      return row?.tuple;
    };
    const before = await written();
    await world.ingest(scope, says(90 * 24 * HOUR_S));
    expect(await sessions()).toEqual([[iso(0), iso(90 * 24 * HOUR_S), null]]);
    expect(await written()).toBe(before);
    expect(await closer.runOnce()).toBe(0);
    expect(await written()).toBe(before);
  });
});

describe("sessions of two hours", () => {
  beforeEach(() => access.set(scope, { sessionHours: 2 }));

  test.each([
    ["in one batch", true],
    ["one by one", false],
  ])("begin and end by the times of their messages, %s", async (_, together) => {
    const updates = [0, HOUR_S, 3 * HOUR_S - 1, 5 * HOUR_S - 1, 9 * HOUR_S].map((at) => says(at));
    if (together) await world.ingest(scope, ...updates);
    else for (const update of updates) await world.ingest(scope, update);
    expect(await sessions()).toEqual([
      [iso(0), iso(3 * HOUR_S - 1), iso(5 * HOUR_S - 1)],
      [iso(5 * HOUR_S - 1), iso(5 * HOUR_S - 1), iso(7 * HOUR_S - 1)],
      [iso(9 * HOUR_S), iso(9 * HOUR_S), null],
    ]);
  });

  test("end by themselves, as of the moment they were over", async () => {
    await world.ingest(scope, says(0), says(HOUR_S));
    expect(await closer.runOnce()).toBe(1);
    expect(await closer.runOnce()).toBe(0);
    expect(await sessions()).toEqual([[iso(0), iso(HOUR_S), iso(3 * HOUR_S)]]);
    await world.ingest(scope, says(3 * HOUR_S));
    expect((await sessions())[1]).toEqual([iso(3 * HOUR_S), iso(3 * HOUR_S), null]);
  });

  test("end while nobody asks for it, and no more once it is stopped", async () => {
    await world.ingest(scope, says(0));
    const background = createSessionCloser({ db: world.db, log: silentLogger, everyMs: 20 });
    background.start();
    const isOver = async () => JSON.stringify(await sessions()).includes(iso(2 * HOUR_S));
    await waitFor(isOver, { what: "the session to be ended" });
    await background.stop();
    await world.ingest(scope, says(9 * HOUR_S));
    expect((await sessions())[1]).toEqual([iso(9 * HOUR_S), iso(9 * HOUR_S), null]);
  });

  test("that were ended go on when a message from before their end comes late", async () => {
    await world.ingest(scope, says(0));
    await closer.runOnce();
    await world.ingest(scope, says(HOUR_S));
    expect(await sessions()).toEqual([[iso(0), iso(HOUR_S), null]]);
    expect(await closer.runOnce()).toBe(1);
    expect(await sessions()).toEqual([[iso(0), iso(HOUR_S), iso(3 * HOUR_S)]]);
  });

  test("go on after all and are over again in one batch", async () => {
    await world.ingest(scope, says(0));
    await closer.runOnce();
    await world.ingest(scope, says(HOUR_S), says(3 * HOUR_S));
    expect(await sessions()).toEqual([
      [iso(0), iso(HOUR_S), iso(3 * HOUR_S)],
      [iso(3 * HOUR_S), iso(3 * HOUR_S), null],
    ]);
  });

  test("are looked at when they may be over, not with every message", async () => {
    const now = nowS();
    const checkAt = async () => {
      const [row] = await world.db.query<{ check_at: Date }>(
        "SELECT check_at FROM sessions WHERE workspace_id = $1",
        [scope.workspaceId],
      );
      return row?.check_at.toISOString();
    };
    await world.ingest(scope, says(now - 3 * HOUR_S));
    await world.ingest(scope, says(now - 2 * HOUR_S), says(now - HOUR_S));
    expect(await checkAt()).toBe(iso(now - HOUR_S));
    expect(await closer.runOnce()).toBe(0);
    expect(await checkAt()).toBe(iso(now + HOUR_S));
  });

  test("don't grow by edits, by what comes again, by bots and by what Telegram reports", async () => {
    const first = says(0);
    await world.ingest(scope, first);
    const original = first.message as Wire;
    await world.ingest(
      scope,
      first,
      { edited_message: edited(original, "changed", HOUR_S) },
      {
        edited_message: edited(
          { ...original, message_id: 9_999, date: T0 + HOUR_S },
          "new",
          HOUR_S,
        ),
      },
      says(HOUR_S, { text: undefined, pinned_message: original }),
      says(HOUR_S, { from: user(PERSON, { is_bot: true }) }),
    );
    expect(await sessions()).toEqual([[iso(0), iso(0), null]]);
  });

  test("are a person's with the bot: none in groups, nor of a business account's customers", async () => {
    await world.link(scope, GROUP);
    await world.ingest(
      scope,
      { message: inGroup(1, "x") },
      { business_message: message(1, "x", { business_connection_id: "bc" }) },
    );
    expect(await world.count("conversations", scope)).toBe(2);
    expect(await world.count("sessions", scope)).toBe(0);
  });

  test("are not begun by who may not talk", async () => {
    await access.set(scope, { level: "members", saveDenied: true });
    await world.ingest(scope, says(0));
    expect(await world.count("messages", scope)).toBe(1);
    expect(await world.count("sessions", scope)).toBe(0);
  });
});

describe("a setting that is changed while sessions run", () => {
  test("to fewer hours: they are over as of then, without another message", async () => {
    await world.ingest(scope, says(0));
    await access.set(scope, { sessionHours: 1 });
    expect(await closer.runOnce()).toBe(1);
    expect(await sessions()).toEqual([[iso(0), iso(0), iso(HOUR_S)]]);
  });

  test("to no end: they are not ended any more", async () => {
    await access.set(scope, { sessionHours: 1 });
    await world.ingest(scope, says(0));
    await access.set(scope, { sessionHours: 0 });
    expect(await closer.runOnce()).toBe(0);
    expect(await sessions()).toEqual([[iso(0), iso(0), null]]);
    await access.set(scope, { sessionHours: 3 });
    expect(await closer.runOnce()).toBe(1);
  });

  test("to none: all of them end, more than a batch of them, and none begins", async () => {
    const people = Array.from({ length: 8 }, (_, n) => 600 + n);
    const ofAll = () => people.map((id) => says(nowS(), { from: user(id), chat: privateChat(id) }));
    await world.ingest(scope, ...ofAll());
    const neighbour = await world.newConnector(scope.workspaceId);
    await world.ingest(neighbour, says(nowS()));
    await access.set(scope, { sessionHours: -1 });
    expect(await closer.runOnce()).toBe(8);
    await world.ingest(scope, ...ofAll());
    const rows = await world.db.query(
      `SELECT connector_id = $2 AS ours, end_reason, count(*)::int AS n FROM sessions
       WHERE workspace_id = $1 GROUP BY 1, 2 ORDER BY 1`,
      [scope.workspaceId, scope.connectorId],
    );
    expect(rows).toEqual([
      { ours: false, end_reason: null, n: 1 },
      { ours: true, end_reason: "switched_off", n: 8 },
    ]);
  });
});

describe("the clock and a message in the same moment", () => {
  beforeEach(async () => {
    await access.set(scope, { sessionHours: 2 });
    await world.ingest(scope, says(0));
  });

  test("the clock leaves alone what is being written", async () => {
    await world.db.transaction(async (tx) => {
      await world.ingestIn(tx, [world.lane(scope, [says(HOUR_S)])]);
      expect(await closer.runOnce()).toBe(0);
    });
    expect(await sessions()).toEqual([[iso(0), iso(HOUR_S), null]]);
  });

  test("and what is over beside it ends, however much there is", async () => {
    const people = Array.from({ length: 8 }, (_, n) => 700 + n);
    await world.ingest(
      scope,
      ...people.map((id, n) => says(n + 1, { from: user(id), chat: privateChat(id) })),
    );
    await world.db.transaction(async (tx) => {
      await world.ingestIn(tx, [world.lane(scope, [says(HOUR_S)])]);
      expect(await closer.runOnce()).toBe(8);
    });
  });

  test.each([
    ["goes on", [HOUR_S], [[iso(0), iso(HOUR_S), null]]],
    [
      "goes on and is over",
      [HOUR_S, 3 * HOUR_S],
      [
        [iso(0), iso(HOUR_S), iso(3 * HOUR_S)],
        [iso(3 * HOUR_S), iso(3 * HOUR_S), null],
      ],
    ],
    [
      "is over",
      [2 * HOUR_S],
      [
        [iso(0), iso(0), iso(2 * HOUR_S)],
        [iso(2 * HOUR_S), iso(2 * HOUR_S), null],
      ],
    ],
  ])(
    "messages that were read before the clock came by are right: the session %s",
    async (_, times, expected) => {
      let isLoaded = () => {};
      let mayWrite = () => {};
      const loaded = new Promise<void>((resolve) => {
        isLoaded = resolve;
      });
      const written = new Promise<void>((resolve) => {
        mayWrite = resolve;
      });
      const ingesting = world.db.transaction((tx) =>
        world.ingestIn(
          {
            ...tx,
            query: async <Row extends object>(sql: string, params?: readonly unknown[]) => {
              if (sql.includes("conversations.upsert")) {
                isLoaded();
                await written;
              }
              return tx.query<Row>(sql, params);
            },
          },
          [
            world.lane(
              scope,
              times.map((at) => says(at)),
            ),
          ],
        ),
      );
      await loaded;
      expect(await closer.runOnce()).toBe(1);
      mayWrite();
      await ingesting;
      expect(await sessions()).toEqual(expected);
      const lastEnd = Math.max(...times) + 2 * HOUR_S;
      expect(await closer.runOnce()).toBe(1);
      expect((await sessions()).at(-1)).toEqual(expect.arrayContaining([iso(lastEnd)]));
    },
  );
});

test("in any batches, with the clock in between or not, a history comes to the same sessions", async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 12 }).map((half) => (half * HOUR_S) / 2) },
    { weight: 1, arbitrary: fc.constant("clock" as const) },
    { weight: 1, arbitrary: fc.constant("cut" as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      const times = steps.filter((one) => typeof one === "number");
      const together = await world.newScope();
      const apart = await world.newScope();
      for (const one of [together, apart]) await access.set(one, { sessionHours: 1 });
      const updates = times.map((at) => says(at));
      if (updates.length > 0) await world.ingest(together, ...updates);
      let batch: Wire[] = [];
      const flush = async () => {
        if (batch.length > 0) await world.ingest(apart, ...batch);
        batch = [];
      };
      const waiting = [...updates];
      for (const one of steps) {
        if (typeof one === "number") {
          batch.push(...waiting.splice(0, 1));
          continue;
        }
        await flush();
        if (one === "clock") await closer.runOnce();
      }
      await flush();
      await closer.runOnce();
      await waitFor(async () => (await closer.runOnce()) === 0, { what: "all sessions to end" });
      expect(await sessions(apart)).toEqual(await sessions(together));
    }),
    { numRuns: runs(25) },
  );
});

test("sessions page; another workspace's conversation is none", async () => {
  await access.set(scope, { sessionHours: 1 });
  await world.ingest(scope, ...[0, 2, 4, 6, 8].map((hours) => says(hours * HOUR_S)));
  const request = { workspaceId: scope.workspaceId, conversationId: await conversationId() };
  const first = await listSessions(world.db, { ...request, limit: 3 });
  const cursor = first?.nextCursor ?? null;
  const second = await listSessions(world.db, { ...request, limit: 3, cursor });
  const all = [...(first?.data ?? []), ...(second?.data ?? [])];
  expect(all.map(({ startedAt }) => startedAt)).toEqual(
    [8, 6, 4, 2, 0].map((hours) => iso(hours * HOUR_S)),
  );
  expect(all[0]).toMatchObject({ connectorId: scope.connectorId, chatId: String(PERSON) });
  const stranger = await world.newScope();
  const { workspaceId } = stranger;
  expect(await listSessions(world.db, { ...request, workspaceId })).toBeNull();
  expect(await listSessions(world.db, { ...request, conversationId: "x" })).toBeNull();
});
