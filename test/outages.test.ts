import { describe, expect, test } from "@jest/globals";
import { migrateAll } from "../workers/migrate.ts";
import { startPostgres } from "./support/postgres.ts";
import { startRedis } from "./support/redis.ts";
import { backends, needs } from "./support/requirements.ts";
import {
  deliver,
  startTestSystem,
  type TestBot,
  type TestSystem,
  textUpdate,
} from "./support/system.ts";
import { waitFor } from "./support/wait-for.ts";

/** A steady load as Telegram's: one update in flight a chat, sent again until it is answered 200. */
class Load {
  readonly statuses = new Map<number, number>();
  private readonly chats = 20;
  private stopped = false;
  private readonly sent = new Map<number, number>();
  private readonly world: TestSystem;
  private readonly bot: TestBot;
  private readonly running: Promise<unknown>;
  private nextUpdateId = 1;

  constructor(world: TestSystem, bot: TestBot) {
    this.world = world;
    this.bot = bot;
    this.running = Promise.all(
      Array.from({ length: this.chats }, (_, n) => this.writeTo(8_000 + n)),
    );
  }

  get accepted(): number {
    return [...this.sent.values()].reduce((sum, count) => sum + count, 0);
  }

  private async writeTo(chatId: number): Promise<void> {
    for (let n = 1; !this.stopped; n++) {
      const update = textUpdate(this.nextUpdateId++, chatId, n, `m${n}`);
      await waitFor(() => this.attempt(update), { timeoutMs: 60_000, intervalMs: 50 });
      this.sent.set(chatId, n);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  private async attempt(update: unknown): Promise<boolean> {
    const status = await deliver(this.world.url, this.bot, update);
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    return status === 200;
  }

  /** Stops, waits until everything accepted has become a message, and checks each chat. */
  async finish(): Promise<void> {
    this.stopped = true;
    await this.running;
    const { db } = this.world.system;
    const read = () =>
      db.query<{ chat_id: string; count: number; ordered: boolean }>(
        `SELECT chat_id, count(*)::int AS count,
           array_agg(telegram_message_id ORDER BY id) =
             array_agg(telegram_message_id ORDER BY telegram_message_id) AS ordered
         FROM messages WHERE connector_id = $1 AND direction = 'in' GROUP BY chat_id`,
        [this.bot.connectorId],
      );
    await waitFor(
      async () => (await read()).reduce((sum, row) => sum + row.count, 0) >= this.accepted,
      { timeoutMs: 30_000, what: "everything accepted to become a message" },
    );
    for (const row of await read()) {
      expect(row).toEqual({
        chat_id: row.chat_id,
        count: this.sent.get(Number(row.chat_id)),
        ordered: true,
      });
    }
  }
}

needs("redis-server")("Redis may be emptied or unreachable at any moment", () => {
  test("emptied in mid-load, then gone for 20 s, then back", async () => {
    const redis = await startRedis();
    const world = await startTestSystem({ redisUrl: redis.url });
    const load = new Load(world, await world.connectBot());
    const reaches = (count: number) =>
      waitFor(() => load.accepted >= count, { what: `${count} accepted`, timeoutMs: 30_000 });
    await reaches(200);
    await redis.cli("FLUSHALL");
    await reaches(600);
    await redis.stop();
    const goneAtMs = performance.now();
    const before = load.accepted;
    await waitFor(() => performance.now() - goneAtMs > 20_000, { timeoutMs: 25_000 });
    // The receiver waits for no wake, and the sweep carries the work meanwhile.
    expect(load.accepted - before).toBeGreaterThan(200);
    expect([...load.statuses.keys()]).toEqual([200]);
    await redis.restart();
    await reaches(load.accepted + 200);
    await load.finish();
    await world.close();
    await redis.stop();
  }, 90_000);
});

describe.each(backends)("Postgres restarted in mid-load, on $name", (backend) => {
  test("503 meanwhile, then the same processes go on: nothing lost, nothing doubled, in order", async () => {
    const postgres = await startPostgres();
    await migrateAll(postgres.url);
    const world = await startTestSystem({ databaseUrl: postgres.url, redisUrl: backend.redisUrl });
    const load = new Load(world, await world.connectBot());
    const reaches = (count: number) =>
      waitFor(() => load.accepted >= count, { what: `${count} accepted`, timeoutMs: 40_000 });
    await reaches(200);
    await postgres.restart("fast");
    await reaches(load.accepted + 200);
    await postgres.kill();
    await waitFor(() => (load.statuses.get(503) ?? 0) > 0, { what: "a 503" });
    await postgres.start();
    await reaches(load.accepted + 200);
    await load.finish();
    expect([...load.statuses.keys()].sort()).toEqual([200, 503]);
    await world.close();
    await postgres.destroy();
  }, 120_000);
});
