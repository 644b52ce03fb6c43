import { afterEach, describe, expect, test } from "@jest/globals";
import { fc, runs } from "../test/support/property.ts";
import { waitFor } from "../test/support/wait-for.ts";
import { ManualClock, type Sandbox, startSandbox } from "./index.ts";
import { call, type ReceivedUpdate, startReceiver } from "./test-client.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function setUp(onUpdate?: (received: ReceivedUpdate) => void) {
  const clock = new ManualClock();
  const sandbox = await startSandbox({ clock });
  const receiver = await startReceiver(onUpdate);
  open.push(receiver, sandbox);
  const bot = sandbox.createBot({ name: "Bot", username: "test_bot" });
  const ada = sandbox.createUser({ firstName: "Ada" }).id;
  await call(sandbox, bot, "setWebhook", { url: receiver.url });
  const say = (text: string) => sandbox.send({ from: ada, chatId: ada, text });
  return { clock, sandbox, receiver, bot, ada, say };
}

const attempts = (sandbox: Sandbox, count: number) =>
  sandbox.waitFor((record) => record.deliveries.length >= count);

describe("a fault of deliveries", () => {
  test("a lost answer brings the same update again", async () => {
    const { sandbox, receiver, bot, say } = await setUp();
    sandbox.fault({ on: "deliveries", botId: bot.id, answer: "reset-after-effect" });
    await say("twice");
    await attempts(sandbox, 2);
    expect(receiver.texts()).toEqual(["twice", "twice"]);
    expect(new Set(receiver.received.map(({ update }) => update.update_id)).size).toBe(1);
    expect(sandbox.record.deliveries).toMatchObject([
      { attempt: 1, status: 0, answered: 200, fault: "reset-after-effect" },
      { attempt: 2, status: 200 },
    ]);
  });

  test("reset-before-effect does not arrive the first time", async () => {
    const { sandbox, receiver, say } = await setUp();
    sandbox.fault({ on: "deliveries", answer: "reset-before-effect" });
    await say("once");
    await attempts(sandbox, 2);
    expect(receiver.texts()).toEqual(["once"]);
  });

  test("duplicate sends it twice side by side, and counts one 200", async () => {
    const held: ReceivedUpdate[] = [];
    const { sandbox, receiver, bot, say } = await setUp((received) => held.push(received));
    sandbox.fault({ on: "deliveries", updateKind: "message", answer: "duplicate" });
    await say("both");
    await waitFor(() => held.length === 2);
    for (const each of held.splice(0)) each.answer(200);
    await attempts(sandbox, 2);
    await say("next");
    await waitFor(() => held.length === 1);
    held[0]?.answer(200);
    await attempts(sandbox, 3);
    expect(receiver.texts()).toEqual(["both", "both", "next"]);
    expect(sandbox.webhookInfo(bot.id).pending_update_count).toBe(0);
  });

  test("out-of-order lets the next of the queue go first", async () => {
    const { sandbox, receiver, say } = await setUp();
    const outage = sandbox.outage({ calls: null });
    await say("first");
    await say("second");
    await say("third");
    sandbox.fault({ on: "deliveries", answer: "out-of-order" });
    outage.clear();
    await attempts(sandbox, 3);
    expect(receiver.texts()).toEqual(["second", "first", "third"]);
  });

  test("latency holds an update back, and what is behind it", async () => {
    const { clock, sandbox, receiver, ada, say } = await setUp();
    sandbox.fault({ on: "deliveries", chatId: ada, latencyMs: 3_000 });
    await say("slow");
    await say("behind");
    clock.advance(2_999);
    expect(receiver.received).toHaveLength(0);
    clock.advance(1);
    await attempts(sandbox, 2);
    expect(receiver.texts()).toEqual(["slow", "behind"]);
  });

  test("of another bot or kind does not strike", async () => {
    const { sandbox, receiver, bot, say } = await setUp();
    sandbox.fault({ on: "deliveries", botId: bot.id + 1, answer: "reset-before-effect" });
    sandbox.fault({ on: "deliveries", updateKind: "poll", answer: "reset-before-effect" });
    sandbox.fault({ on: "deliveries", chatId: 1, answer: "reset-before-effect" });
    await say("through");
    await attempts(sandbox, 1);
    expect(sandbox.record.deliveries).toMatchObject([{ status: 200, attempt: 1 }]);
    expect(receiver.texts()).toEqual(["through"]);
  });
});

test("whatever goes wrong, each chat's updates arrive in order, and the record tells each arrival", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 12 }),
      fc.nat(),
      fc.array(fc.constantFrom(200, 200, 500, 503, 302), { maxLength: 20 }),
      async (speakers, seed, statuses) => {
        const left = [...statuses];
        const { clock, sandbox, receiver, bot } = await setUp(({ answer }) =>
          answer(left.shift() ?? 200),
        );
        sandbox.setLimits({ webhookTimeoutMs: 2_000_000_000 });
        for (const answer of ["reset-before-effect", "reset-after-effect", "duplicate"] as const)
          sandbox.fault({ on: "deliveries", probability: 0.3, times: 5, seed, answer });
        const people = [1, 2, 3].map((n) => sandbox.createUser({ firstName: `U${n}` }).id);
        for (const [index, speaker] of speakers.entries()) {
          const id = people[speaker] ?? 0;
          await sandbox.send({ from: id, chatId: id, text: String(index) });
        }
        await waitFor(() => {
          // Retries are due within two minutes; what is further off is the end of a request.
          const nextMs = clock.nextTimerMs() ?? 0;
          if (nextMs <= 120_000) clock.advance(nextMs);
          return sandbox.webhookInfo(bot.id).pending_update_count === 0;
        });
        const seen = receiver.received.map(({ update }) => update.update_id);
        for (const id of people) {
          const own = sandbox.record.updates.filter(({ chatId }) => chatId === id);
          const ids = own.map(({ updateId }) => updateId);
          expect([...new Set(seen)].filter((each) => ids.includes(each))).toEqual(ids);
        }
        // Row by row: what arrived is what the record says arrived.
        const arrived = sandbox.record.deliveries
          .filter(({ status, answered }) => (answered ?? status) > 0)
          .map(({ updateId }) => updateId);
        expect(arrived.sort()).toEqual(seen.sort());
        for (const each of open.splice(0).reverse()) await each.close();
      },
    ),
    { numRuns: runs(12) },
  );
});

describe("an outage", () => {
  test("of an hour: calls break, updates wait, and then all of them come at once", async () => {
    const held: ReceivedUpdate[] = [];
    const { clock, sandbox, receiver, bot } = await setUp((received) => held.push(received));
    sandbox.outage({ forMs: 3_600_000 });
    const people = Array.from({ length: 60 }, (_, n) => sandbox.createUser({ firstName: `U${n}` }));
    for (const { id } of people) await sandbox.send({ from: id, chatId: id, text: `from ${id}` });
    await expect(call(sandbox, bot, "getMe")).rejects.toThrow("fetch failed");
    clock.advance(3_599_999);
    expect(receiver.received).toHaveLength(0);
    expect(sandbox.webhookInfo(bot.id).pending_update_count).toBe(60);
    clock.advance(1);
    // As many side by side as the webhook takes: 40 unless it said otherwise.
    await waitFor(() => held.length === 40);
    expect(await call(sandbox, bot, "getMe")).toMatchObject({ ok: true });
    while (receiver.received.length < 60 || held.length > 0) {
      for (const each of held.splice(0)) each.answer(200);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await attempts(sandbox, 60);
    expect(sandbox.webhookInfo(bot.id).pending_update_count).toBe(0);
  });

  test("of one bot leaves the others alone, and what expires in it is gone", async () => {
    const { clock, sandbox, receiver, bot, ada } = await setUp();
    const outage = sandbox.outage({ botId: bot.id, calls: "html" });
    const other = sandbox.createBot({ name: "Other", username: "other_bot" });
    expect(await call(sandbox, other, "getMe")).toMatchObject({ ok: true });
    const inline = { id: "1", from: { id: ada }, query: "", offset: "" };
    sandbox.pushUpdate(bot.id, { inline_query: inline });
    sandbox.pushUpdate(bot.id, { callback_query: { id: "2", from: { id: ada } } });
    clock.advance(30_000);
    outage.clear();
    await attempts(sandbox, 1);
    expect(receiver.received.map(({ update }) => Object.keys(update)[1])).toEqual([
      "callback_query",
    ]);
    expect(sandbox.record.counts.expired).toBe(1);
    expect(await call(sandbox, bot, "getMe")).toMatchObject({ ok: true });
  });

  test("ends with clearFaults", async () => {
    const { sandbox, bot } = await setUp();
    sandbox.outage();
    sandbox.clearFaults();
    expect(await call(sandbox, bot, "getMe")).toMatchObject({ ok: true });
  });
});
