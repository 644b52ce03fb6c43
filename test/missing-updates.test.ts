import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import {
  type ConnectorHealth,
  createWorkspace,
  healthOfConnectors,
  startConnectorWatch,
} from "../src/connectors/index.ts";
import { silentLogger } from "../src/platform/index.ts";
import { webServer } from "../workers/web.ts";
import { fc, runs } from "./support/property.ts";
import {
  deliver,
  startTestSystem,
  type TestBot,
  type TestSystem,
  textUpdate,
} from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

/**
 * Which updates did not arrive, and what waits at Telegram: through the webhook, with Postgres, with
 * the sandbox as Telegram. Time passes by moving what was noted into the past.
 */

let running: TestSystem;
let bot: TestBot;
beforeAll(async () => {
  running = await startTestSystem({ pools: false });
});
beforeEach(async () => {
  bot = await running.connectBot();
});
afterEach(async () => {
  // With everything that was noted of them.
  await running.system.db.query("DELETE FROM connectors");
});
afterAll(() => running.close());

const db = () => running.system.db;
const PERSON = 1001;
const GROUP = -100_500;

/** A message in a group. */
const groupUpdate = (updateId: number, text = "not for us") => ({
  update_id: updateId,
  message: {
    message_id: updateId,
    date: 1_790_000_000,
    chat: { id: GROUP, type: "group", title: "Others" },
    from: { id: PERSON, is_bot: false, first_name: "Ada" },
    text,
  },
});

async function send(url: string, ...ids: number[]): Promise<void> {
  for (const id of ids) expect(await deliver(url, bot, textUpdate(id, PERSON, id, "hi"))).toBe(200);
}

/** Waits until all `ids` are noted. */
async function noted(...ids: number[]): Promise<void> {
  await waitFor(
    async () => {
      const [row] = await db().query<{ n: number }>(
        `SELECT count(DISTINCT i.id)::int AS n FROM unnest($2::bigint[]) AS i(id)
         JOIN seen_updates s ON s.connector_id = $1 AND s.update_ids @> i.id`,
        [bot.connectorId, ids],
      );
      return row?.n === new Set(ids).size;
    },
    { what: "the numbers of the updates" },
  );
}

/** What is noted, a text a row. */
async function rows(): Promise<string[]> {
  const found = await db().query<{ ids: string }>(
    "SELECT update_ids::text AS ids FROM seen_updates ORDER BY update_ids",
  );
  return found.map(({ ids }) => ids);
}

async function passTime(minutes: number): Promise<void> {
  await db().query(
    `UPDATE seen_updates SET from_at = from_at - $1 * interval '1 min',
       seen_at = seen_at - $1 * interval '1 min'`,
    [minutes],
  );
  await db().query(
    `UPDATE connector_watch SET next_check_at = now(),
       pending_since = pending_since - $1 * interval '1 min',
       high_since = high_since - $1 * interval '1 min'`,
    [minutes],
  );
}

/** One look of the watch at every connector. */
async function look(logged: unknown[] = []): Promise<number> {
  const { botApis } = running.system;
  const log = {
    ...silentLogger,
    info: (...args: unknown[]) => void logged.push(args),
    warn: (...args: unknown[]) => void logged.push(args),
  };
  const watch = startConnectorWatch({ db: db(), botApis, log: log as never, tickMs: 0 });
  await db().query("UPDATE connector_watch SET next_check_at = now()");
  const looked = await watch.runOnce();
  await watch.stop();
  return looked;
}

async function health(): Promise<ConnectorHealth> {
  const { workspaceId } = running;
  const found = (await healthOfConnectors(db(), workspaceId, [bot.connectorId])).get(
    bot.connectorId,
  );
  if (found === undefined) throw new Error("the connector was not looked at");
  return found;
}

/** What is missing after `minutes` without anything new. */
async function missingAfter(minutes: number): Promise<Array<[number, number]>> {
  await passTime(minutes);
  await look();
  return (await health()).gaps.ranges.map(({ firstId, lastId }) => [firstId, lastId]);
}

describe("gaps", () => {
  test("what does not come is missing after ten minutes, and no longer when it comes late", async () => {
    await send(running.url, 100, 101, 105, 103);
    await noted(100, 101, 103, 105);
    expect(await missingAfter(9)).toEqual([]);
    const logged: unknown[] = [];
    await passTime(2);
    await look(logged);
    expect((await health()).gaps).toMatchObject({
      missing: 2,
      ranges: [
        { firstId: 102, lastId: 102 },
        { firstId: 104, lastId: 104 },
      ],
    });
    expect((await health()).reasons).toEqual(["2 updates did not arrive."]);
    expect(logged).toEqual([[{ connectorId: bot.connectorId, missing: 2 }, "updates are missing"]]);

    await send(running.url, 104, 102);
    await noted(102, 104);
    await look(logged);
    expect((await health()).gaps).toEqual({ missing: 0, since: null, ranges: [] });
    expect((await health()).reasons).toEqual([]);
    expect(logged).toHaveLength(2);
  });

  test("shuffled over two receivers, some twice: nothing is missing, and one run is kept", async () => {
    const second = webServer(running.system, { watch: false });
    const port = await second.listen(0, "127.0.0.1");
    const urls = [running.url, `http://127.0.0.1:${port}`];
    const ids = [7, 3, 9, 1, 2, 8, 4, 6, 5, 3, 9];
    await Promise.all(ids.map((id, n) => send(urls[n % 2] ?? "", id)));
    await second.close(1_000);
    await noted(...ids);
    expect(await missingAfter(30)).toEqual([]);
    expect(await rows()).toEqual(["{[1,10)}"]);
  });

  test("messages of groups that nobody linked leave their numbers, and nothing else", async () => {
    await send(running.url, 1, 5);
    for (const id of [2, 3, 4]) expect(await deliver(running.url, bot, groupUpdate(id))).toBe(200);
    // Committed before it was answered.
    const [row] = await db().query<{ n: number }>(
      `SELECT sum(upper(run) - lower(run))::int AS n FROM seen_updates, unnest(update_ids) run
       WHERE update_ids <@ '{[2,5)}'`,
    );
    expect(row?.n).toBe(3);
    await noted(1, 5);
    expect(await missingAfter(30)).toEqual([]);
    const [kept] = await db().query<{ n: number }>(
      "SELECT count(*)::int AS n FROM jobs WHERE payload ->> 'connectorId' = $1",
      [bot.connectorId],
    );
    expect(kept?.n).toBe(2);
    const all = await db().query("SELECT to_jsonb(s)::text AS row FROM seen_updates s");
    expect(JSON.stringify(all)).not.toMatch(/not for us|Others|100500/);
  });

  test("a receiver that dies before it notes what it stored: the keys tell", async () => {
    await send(running.url, 1, 2, 3, 4, 5, 9);
    await noted(1, 2, 3, 4, 5, 9);
    await db().query("UPDATE seen_updates SET update_ids = update_ids * '{[1,2),[9,10)}'");
    expect(await missingAfter(30)).toEqual([[6, 8]]);
  });

  test("a week of silence and a random number after it: a jump, not a gap", async () => {
    await send(running.url, 100, 101);
    await noted(100, 101);
    await passTime(7 * 24 * 60);
    await send(running.url, 5_000, 5_001);
    await noted(5_000, 5_001);
    expect(await missingAfter(30)).toEqual([]);
    // And what is older than the window is let go.
    await passTime(2 * 24 * 60);
    await send(running.url, 5_002);
    await noted(5_002);
    await look();
    expect(await rows()).toEqual(["{[5000,5003)}"]);
  });

  test("of what Telegram delivers, linked or not, nothing is missing", async () => {
    const { sandbox } = running;
    const ada = sandbox.createUser({ firstName: "Ada" });
    const memberIds = [ada.id, bot.id];
    const others = sandbox.createChat({ type: "group", title: "Others", memberIds });
    for (let n = 0; n < 10; n++) {
      sandbox.send({ from: ada.id, chatId: ada.id, botId: bot.id, text: `mine ${n}` });
      sandbox.send({ from: ada.id, chatId: others.id, text: `theirs ${n}` });
    }
    await waitFor(() => sandbox.webhookInfo(bot.id).pending_update_count === 0, {
      what: "the deliveries",
    });
    await waitFor(
      async () => {
        await look();
        return (await rows()).length === 1;
      },
      { what: "all notes" },
    );
    const [row] = await db().query<{ n: number }>(
      "SELECT (upper(update_ids) - lower(update_ids))::int AS n FROM seen_updates",
    );
    expect(row?.n).toBeGreaterThanOrEqual(20);
    expect(await missingAfter(30)).toEqual([]);
    const stored = await db().query(
      "SELECT 1 FROM jobs WHERE payload ->> 'connectorId' = $1 AND payload ->> 'updateKind' = 'message'",
      [bot.connectorId],
    );
    expect(stored).toHaveLength(10);
  });

  test("a bot's first updates begin the window", async () => {
    await send(running.url, 874_119_833);
    await noted(874_119_833);
    expect(await missingAfter(60)).toEqual([]);
  });

  test("of a gap that is a week old and more nothing is kept", async () => {
    await send(running.url, 1, 3);
    await noted(1, 3);
    expect(await missingAfter(30)).toEqual([[2, 2]]);
    await passTime(9 * 24 * 60);
    await send(running.url, 5);
    await noted(5);
    await look();
    expect((await health()).gaps.missing).toBe(0);
    expect(await rows()).toEqual(["{[5,6)}"]);
  });

  test("whatever was noted, and how often: what is missing is what nobody noted", async () => {
    const ids = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(ids, { minLength: 1, maxLength: 8 }), async (notes) => {
        await db().query("DELETE FROM seen_updates");
        for (const note of notes) {
          await db().query(
            `INSERT INTO seen_updates (workspace_id, connector_id, update_ids)
             SELECT $1, $2, range_agg(int8range(id, id + 1)) FROM unnest($3::bigint[]) AS id`,
            [running.workspaceId, bot.connectorId, note],
          );
          if (note.length % 3 === 0) await look();
        }
        await missingAfter(30);
        const all = notes.flat();
        const inside = Math.max(...all) - Math.min(...all) + 1;
        expect((await health()).gaps.missing).toBe(inside - new Set(all).size);
      }),
      { numRuns: runs(15) },
    );
  });

  test("many holes: the oldest are shown, all are counted", async () => {
    await db().query(
      `INSERT INTO seen_updates (workspace_id, connector_id, update_ids)
       SELECT $1, $2, range_agg(int8range(2 * n, 2 * n + 1)) FROM generate_series(1, 2000) n`,
      [running.workspaceId, bot.connectorId],
    );
    expect(await missingAfter(30)).toHaveLength(20);
    // The runs kept are bounded.
    expect((await health()).gaps.missing).toBe(999);
    const [row] = await db().query<{ n: number }>("SELECT count(*)::int AS n FROM seen_updates");
    expect(row?.n).toBe(1_000);
  });
});

describe("the API and the metrics", () => {
  test("tell a workspace of its own connectors, and Prometheus the counts", async () => {
    const path = "/api/integrations/telegram/health";
    await send(running.url, 1, 4);
    await noted(1, 4);
    await missingAfter(30);
    expect((await running.api("GET", path)).body).toMatchObject({
      status: "degraded",
      connectors: [
        {
          id: bot.connectorId,
          status: "active",
          pendingUpdates: 0,
          gaps: { missing: 2, ranges: [{ firstId: 2, lastId: 3 }] },
          reasons: ["2 updates did not arrive."],
        },
      ],
    });
    const stranger = await createWorkspace(db(), "Stranger");
    const theirs = await fetch(running.url + path, {
      headers: { authorization: `Bearer ${stranger.apiKey}` },
    });
    expect(await theirs.json()).toMatchObject({ status: "ok", connectors: [] });
    expect(await healthOfConnectors(db(), stranger.id, [bot.connectorId])).toEqual(new Map());
    expect(await (await fetch(`${running.url}${path}`)).json()).toEqual({ status: "ok" });

    const figures = await (await fetch(`${running.url}/metrics`)).text();
    expect(figures).toContain("heliograph_updates_missing 2");
    expect(figures).toContain("heliograph_connectors_with_gaps 1");
    expect(figures).not.toContain(bot.connectorId);
  });

  test("a day after, when nothing can come any more, a gap is shown but alarms nobody", async () => {
    await send(running.url, 1, 4);
    await noted(1, 4);
    await missingAfter(25 * 60);
    expect(await health()).toMatchObject({ gaps: { missing: 2 }, reasons: [] });
  });

  test("a new loss is news, however many old gaps are known", async () => {
    const old = Array.from({ length: 30 }, (_, n) => 2 * n + 1);
    await send(running.url, ...old);
    await noted(...old);
    expect(await missingAfter(25 * 60)).toHaveLength(20);
    expect((await health()).reasons).toEqual([]);
    await send(running.url, 60, 62);
    await noted(60, 62);
    expect((await missingAfter(20)).at(-1)).toEqual([61, 61]);
    expect((await health()).reasons).toEqual(["30 updates did not arrive."]);
  });
});

describe("what waits at Telegram", () => {
  /** Our receiver refuses what Telegram delivers. */
  async function refused(): Promise<void> {
    await db().query(
      "UPDATE connectors SET secret_hash = sha256('other'), previous_secret_hashes = '{}' WHERE id = $1",
      [bot.connectorId],
    );
    running.sandbox.pushUpdate(bot.id, { message: textUpdate(1, PERSON, 1, "hi").message });
    await waitFor(() => running.sandbox.webhookInfo(bot.id).last_error_message !== undefined, {
      what: "a failed delivery",
    });
  }

  test("is asked for, stored with its time, and is a trouble once none has arrived for minutes", async () => {
    await refused();
    await look();
    const first = await health();
    expect(first).toMatchObject({ pendingUpdates: 1, gaps: { missing: 0 } });
    expect(first.checkedAt).not.toBeNull();
    expect(first.lastError).toContain("401");
    expect(first.reasons).toEqual([`Telegram could not deliver: ${first.lastError}`]);
    await passTime(4);
    await look();
    expect((await health()).reasons).toContain(
      "Telegram holds 1 updates, and none has arrived for 4 minutes.",
    );
  });

  test("a webhook that somebody else has set is told", async () => {
    const api = await running.system.botApis.forConnector(bot.connectorId);
    await api.call("deleteWebhook");
    await look();
    expect((await health()).reasons).toEqual([
      "Telegram has no webhook for this bot any more: something else removed it.",
    ]);
  });

  test("a Telegram that does not answer is told, and what was known stays", async () => {
    await look();
    running.sandbox.revokeToken(bot.id);
    await look();
    const { pendingUpdates, reasons } = await health();
    expect(pendingUpdates).toBe(0);
    expect(reasons).toEqual(["Telegram could not be asked about this bot: unauthorized."]);
  });
});

describe("the work", () => {
  test("is done without being asked, and ends when told, also while Telegram does not answer", async () => {
    const { botApis, log } = running.system;
    running.sandbox.fault({ botId: bot.id, method: "getWebhookInfo", answer: "hang" });
    const stuck = startConnectorWatch({ db: db(), botApis, log, tickMs: 5 });
    await waitFor(() =>
      db()
        .query("SELECT 1 FROM connector_watch")
        .then((all) => all.length > 0),
    );
    await stuck.stop();
    running.sandbox.clearFaults();
    await db().query("UPDATE connector_watch SET next_check_at = now()");
    const watch = startConnectorWatch({ db: db(), botApis, log, tickMs: 5 });
    await waitFor(async () => (await health()).checkedAt !== null, { what: "a look" });
    await watch.stop();
    expect(await health()).toMatchObject({ pendingUpdates: 0, reasons: [] });
  });

  test("is shared: of two processes each connector is looked at by one", async () => {
    for (let n = 0; n < 5; n++) await running.connectBot();
    const { botApis, log } = running.system;
    const watches = [0, 1].map(() => startConnectorWatch({ db: db(), botApis, log, tickMs: 0 }));
    await Promise.all(watches.map((watch) => watch.runOnce()));
    await db().query("UPDATE connector_watch SET next_check_at = now()");
    const looked = await Promise.all(watches.map((watch) => watch.runOnce()));
    expect(looked.reduce((a, b) => a + b)).toBe(6);
    await Promise.all(watches.map((watch) => watch.stop()));
  });

  test("of a bot whose token is refused asks Telegram no more", async () => {
    await look();
    await running.system.connectors.disable(bot.connectorId, "refused");
    await look();
    expect(await health()).toMatchObject({ pendingUpdates: null, reasons: [] });
  });

  test("of a connector that is removed ends, and what was noted of it goes with its row", async () => {
    await send(running.url, 1);
    await noted(1);
    await look();
    await running.system.connectors.remove(running.workspaceId, bot.connectorId);
    expect(await look()).toBe(0);
    expect(await db().query("SELECT 1 FROM connector_watch")).toEqual([]);
    expect(await db().query("SELECT 1 FROM seen_updates")).toEqual([]);
  });
});
