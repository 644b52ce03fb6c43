import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createExpiryKeeper, type MessageView } from "../outbound/index.ts";

const HOUR_MS = 3_600_000;
const inHours = (hours: number) => new Date(Date.now() + hours * HOUR_MS).toISOString();

let world: TestSystem;
let bot: TestBot;
beforeAll(async () => {
  world = await startTestSystem();
  bot = await world.connectBot();
});
afterAll(() => world.close());

interface Answered extends MessageView {
  data: MessageView[];
  nextCursor: string | null;
  detail: string;
  errors: Array<{ path: string; message: string }>;
  /** A connector's. */
  status: string;
}

async function call(method: string, path: string, body?: unknown) {
  const answer = await world.api(method, path, body);
  return { status: answer.status, body: answer.body as Answered };
}

/** A person whom the bot may write to. */
async function someone(of = bot): Promise<{ id: number; chatId: string }> {
  const { id } = world.sandbox.createUser({ firstName: "Ada" });
  const place = { chatId: id, botId: of.id };
  await world.sandbox.send({ ...place, from: id, text: "hello" });
  // What it answers by itself is out of the way then.
  await waitFor(() => world.sandbox.messages(place).some(({ from }) => from?.id === of.id));
  return { id, chatId: String(id) };
}

async function submit(more: object, of = bot): Promise<string> {
  const body = { connectorId: of.connectorId, text: "hi", ...more };
  const answer = await call("POST", "/v1/messages", body);
  if (answer.status !== 202) throw new Error(JSON.stringify(answer.body));
  return answer.body.id;
}

const read = async (id: string) => (await call("GET", `/v1/messages/${id}`)).body;
const ended = (id: string, state: string) =>
  waitFor(async () => ((await read(id)).state === state ? read(id) : null), { what: state });
/** What the bot has written to somebody, but for what it says by itself. */
const received = (chatId: number) =>
  world.sandbox
    .messages({ chatId, botId: bot.id })
    .flatMap(({ from, text }) => (from?.id === bot.id && text?.startsWith("say ") ? [text] : []));
const jobOf = async (id: string) => {
  const [job] = await world.system.db.query<{
    state: string;
    priority: number;
    error_class: string | null;
  }>("SELECT state, priority, error_class FROM jobs WHERE payload ->> 'messageId' = $1", [id]);
  return job;
};
const audited = (action: string) =>
  world.system.db.query<{ details: object }>(
    "SELECT details FROM audit_entries WHERE subject_id IS NOT NULL AND action = $1 ORDER BY id",
    [action],
  );

describe("what became of a message", () => {
  test("failed: what happened, and what can be done about it", async () => {
    const { id, chatId } = await someone();
    world.sandbox.block(id, bot.id);
    const failed = await ended(await submit({ chatId, priority: "high" }), "failed");
    expect(failed).toMatchObject({
      connectorId: bot.connectorId,
      chatId,
      priority: "high",
      errorClass: "blocked",
      error: expect.stringContaining("blocked the bot"),
      advice: expect.stringContaining("another way"),
      createdAt: expect.stringMatching(/Z$/),
    });
    expect(failed).not.toHaveProperty("text");
  });

  test("listed, newest first, each once, by state, bot and chat; without what it says", async () => {
    const { chatId } = await someone();
    const other = await world.connectBot();
    const common = { chatId, sendAt: inHours(2), text: "say nothing" };
    const ids = [];
    for (let n = 0; n < 5; n++) ids.push(await submit(common));
    const [first = ""] = ids;
    await call("DELETE", `/v1/messages/${first}`);
    // As those of one broadcast.
    await world.system.db.query(
      "UPDATE outbound_messages SET created_at = now() + interval '1 min' WHERE id = ANY ($1)",
      [ids],
    );
    const elsewhere = await submit({ ...common, chatId: "4711" }, other);
    const seen: string[] = [];
    let cursor = "";
    do {
      const page = await call("GET", `/v1/messages?limit=2${cursor}&state=queued,cancelled`);
      expect(page.status).toBe(200);
      expect(JSON.stringify(page.body)).not.toContain("say nothing");
      seen.push(...page.body.data.map(({ id }) => id));
      cursor = page.body.nextCursor === null ? "" : `&cursor=${page.body.nextCursor}`;
    } while (cursor !== "");
    expect(seen).toEqual([...[...ids].sort().reverse(), ...seen.slice(5)]);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toContain(elsewhere);

    const listed = async (query: string) =>
      (await call("GET", `/v1/messages?${query}`)).body.data.map(({ id }) => id).sort();
    expect(await listed(`chatId=${chatId}&state=cancelled`)).toEqual([first]);
    expect(await listed(`chatId=${chatId}&connectorId=${other.connectorId}`)).toEqual([]);
    expect(await listed(`connectorId=${other.connectorId}`)).toEqual([elsewhere]);
    expect(await listed(`chatId=${chatId}`)).toEqual(expect.arrayContaining(ids));
    expect(await listed(`chatId=${chatId}&state=queued`)).toEqual(ids.slice(1).sort());
    for (const query of ["state=gone", "cursor=x", "chatId=my", "limit=0", "more=1"]) {
      expect((await call("GET", `/v1/messages?${query}`)).status).toBe(400);
    }
    const [look] = await world.system.db.query(
      "SELECT details FROM audit_entries WHERE action = 'sends.listed' AND details ? 'chatId' ORDER BY id LIMIT 1",
    );
    expect(look).toEqual({ details: { chatId, states: ["cancelled"], count: 1 } });
  });
});

describe("while it waits", () => {
  test("cancelled: it is not sent, its job neither; a second time is told what it is", async () => {
    const { chatId } = await someone();
    const id = await submit({ chatId, sendAt: inHours(1) });
    const path = `/v1/messages/${id}`;
    expect(await call("DELETE", path)).toEqual({ status: 200, body: { id, state: "cancelled" } });
    expect(await jobOf(id)).toMatchObject({ state: "cancelled" });
    const again = await call("DELETE", path);
    expect([again.status, again.body.errors]).toEqual([
      409,
      [{ path: "state", message: "cancelled" }],
    ]);
    expect((await audited("message.cancelled")).at(-1)?.details).toEqual({
      connectorId: bot.connectorId,
    });
    for (const nobodys of ["00000000-0000-4000-8000-000000000000", "x"]) {
      expect((await call("DELETE", `/v1/messages/${nobodys}`)).status).toBe(404);
    }
  });

  test("replaced: other words, at another time; nothing of it once it is sent", async () => {
    const { id: person, chatId } = await someone();
    const first = await submit({ chatId, text: "say secret words", sendAt: inHours(1) });
    const second = await submit({ chatId, text: "say second", sendAt: inHours(1) });
    const path = `/v1/messages/${first}`;
    const patched = await call("PATCH", path, {
      text: "say <b>this</b>",
      format: "html",
      priority: "critical",
      expiresAt: inHours(3),
      buttons: [[{ text: "Yes", data: "y" }]],
    });
    expect([patched.status, patched.body]).toMatchObject([
      200,
      { state: "queued", priority: "critical", expiresAt: expect.any(String) },
    ]);
    expect(await jobOf(first)).toMatchObject({ priority: 0 });
    await call("PATCH", `/v1/messages/${second}`, { sendAt: new Date(1).toISOString() });
    await ended(second, "sent");
    await call("PATCH", path, { sendAt: null });
    const sent = await ended(first, "sent");
    expect(sent.sendAt).toBeUndefined();
    expect(received(person)).toEqual(["say second", "say this"]);
    const late = await call("PATCH", path, { text: "say too late" });
    expect([late.status, late.body.detail]).toEqual([409, expect.stringContaining("sent already")]);
    const entries = await audited("message.replaced");
    expect(entries[0]?.details).toEqual({
      connectorId: bot.connectorId,
      fields: ["text", "buttons", "priority", "expiresAt"],
    });
    expect(JSON.stringify(entries)).not.toMatch(/say|secret/);
  });

  test("moved to later while it waits for its retry: it does not hold its chat until then", async () => {
    const { id: person, chatId } = await someone();
    const [id, next] = [
      await submit({ chatId, sendAt: inHours(1), text: "say later" }),
      await submit({ chatId, sendAt: inHours(2), text: "say now" }),
    ];
    await world.system.db.query(
      `UPDATE jobs SET state = 'retryable', filed = false, error_class = 'Pause'
       WHERE payload ->> 'messageId' = $1`,
      [id],
    );
    expect((await call("PATCH", `/v1/messages/${id}`, { sendAt: inHours(9) })).status).toBe(200);
    expect(await jobOf(id)).toMatchObject({ state: "available", error_class: null });
    await call("PATCH", `/v1/messages/${next}`, { sendAt: null });
    await ended(next, "sent");
    expect(received(person)).toEqual(["say now"]);
  });

  test("what contradicts itself, or what is there, is refused, and nothing has changed", async () => {
    const { chatId } = await someone();
    const id = await submit({ chatId, sendAt: inHours(2), expiresAt: inHours(4) });
    const before = await read(id);
    for (const body of [
      {},
      { format: "html" },
      { text: "  " },
      { text: "x".repeat(40_001) },
      { text: "<b>x", format: "html" },
      { sendAt: inHours(5) },
      { expiresAt: inHours(1) },
      { expiresAt: inHours(-1) },
      { sendAt: inHours(9), expiresAt: inHours(9) },
      { chatId },
      { state: "sent" },
    ]) {
      expect((await call("PATCH", `/v1/messages/${id}`, body)).status).toBe(400);
    }
    expect(await read(id)).toEqual(before);
    const submitted = { connectorId: bot.connectorId, chatId, text: "x" };
    for (const times of [
      { expiresAt: inHours(-1) },
      { sendAt: inHours(2), expiresAt: inHours(2) },
      { expiresAt: "soon" },
    ]) {
      const answer = await call("POST", "/v1/messages", { ...submitted, ...times });
      expect([answer.status, answer.body.errors[0]?.path]).toEqual([400, "expiresAt"]);
    }
  });
});

test("what is more than a text: what may stand beside it is asked again", async () => {
  const { chatId } = await someone();
  const content = { type: "photo", file: { url: "https://example.com/photo.jpg" } };
  const photo = await submit({ chatId, sendAt: inHours(1), content });
  const patch = (id: string, body: object) => call("PATCH", `/v1/messages/${id}`, body);
  const long = await patch(photo, { text: "x".repeat(1_025) });
  expect([long.status, long.body.errors[0]?.path]).toEqual([400, "text"]);
  // A caption has no parts, whatever a text of the bot's has: for each the photo would be sent again.
  const connector = `/v1/connectors/${bot.connectorId}`;
  await call("PATCH", connector, { maxMessageLength: 5 });
  const captioned = await patch(photo, { text: "a caption" });
  await call("PATCH", connector, { maxMessageLength: 4_096 });
  expect([captioned.status, captioned.body.parts]).toEqual([200, undefined]);
  const sent = await submit({ chatId });
  await ended(sent, "sent");
  const pin = await submit({
    chatId,
    sendAt: inHours(1),
    text: undefined,
    content: { type: "pin", messageId: sent },
  });
  for (const body of [{ text: "x" }, { buttons: null }, { priority: "critical" }]) {
    expect((await patch(pin, body)).status).toBe(409);
  }
  expect((await patch(pin, { sendAt: inHours(2) })).status).toBe(200);
});

describe("where rules ask for approval", () => {
  const rule = { conditions: { words: ["invoice"] }, approvals: 1, expiresAfterS: 3_600 };

  test("no change gets round them; what was approved, or is asked about, stays as it is", async () => {
    const { chatId } = await someone();
    const waits = { chatId, sendAt: inHours(1) };
    expect((await call("POST", "/v1/approval-rules", { name: "Money", ...rule })).status).toBe(201);
    const elsewhere = { name: "Elsewhere", conditions: { chatIds: ["-77"] } };
    expect((await call("POST", "/v1/approval-rules", elsewhere)).status).toBe(201);
    const plain = await submit({ ...waits, text: "harmless" });
    const before = await read(plain);
    for (const body of [
      { text: "your invoice" },
      { buttons: [[{ text: "Invoice", data: "i" }]], sendAt: null },
    ]) {
      const refused = await call("PATCH", `/v1/messages/${plain}`, body);
      expect([refused.status, refused.body.detail]).toEqual([409, expect.stringMatching(/anew/)]);
    }
    expect(await read(plain)).toEqual(before);
    expect((await call("PATCH", `/v1/messages/${plain}`, { text: "kind" })).status).toBe(200);

    const held = await submit({ ...waits, text: "an invoice" });
    expect((await read(held)).state).toBe("awaiting_approval");
    const edited = await call("PATCH", `/v1/messages/${held}`, { text: "kind" });
    expect([edited.status, edited.body.errors]).toMatchObject([
      409,
      [{ message: "awaiting_approval" }],
    ]);
    expect((await call("DELETE", `/v1/messages/${held}`)).body.state).toBe("cancelled");
    expect((await call("GET", `/v1/approvals/${held}`)).body).toMatchObject({ state: "cancelled" });

    await world.system.db.query("UPDATE outbound_messages SET approved = true WHERE id = $1", [
      plain,
    ]);
    expect((await call("PATCH", `/v1/messages/${plain}`, { text: "other" })).status).toBe(409);
    expect((await call("PATCH", `/v1/messages/${plain}`, { sendAt: inHours(2) })).status).toBe(200);
  });
});

describe("unknown", () => {
  /** One that Telegram took, and whose answer was lost. */
  async function unknown(text: string, more: Record<string, unknown> = {}) {
    const { id: person, chatId } = await someone();
    const method = "sendMessage";
    const fault = { botId: bot.id, chatId: person, method, answer: "5xx-after-effect" } as const;
    world.sandbox.fault(fault);
    const id = await submit({ chatId, text, onUnknown: "hold", ...more });
    await ended(id, "unknown");
    return { id, person, path: `/v1/messages/${id}/resolve` };
  }

  test("listed for people, who say what became of it, once", async () => {
    const { id, path } = await unknown("say maybe");
    const listed = await call("GET", "/v1/messages?state=unknown");
    expect(listed.body.data[0]).toMatchObject({ id, errorClass: "Unknown" });
    expect(listed.body.data[0]?.advice).toMatch(/resolve/);
    const waits = await call("DELETE", `/v1/messages/${id}`);
    expect([waits.status, waits.body.detail]).toEqual([409, expect.stringContaining("resolve")]);
    expect((await call("POST", path, { verdict: "perhaps" })).status).toBe(400);
    const verdict = { verdict: "sent" };
    expect(await call("POST", path, verdict)).toEqual({
      status: 200,
      body: { id, state: "sent" },
    });
    expect(await read(id)).toMatchObject({ state: "sent", sentAt: expect.any(String) });
    expect(await jobOf(id)).toMatchObject({ state: "completed", error_class: null });
    expect((await call("POST", path, verdict)).status).toBe(409);
    expect((await audited("message.resolved")).map(({ details }) => details)).toEqual([
      { connectorId: bot.connectorId, verdict: "sent" },
    ]);
  });

  test("sent: of a notice that was to vanish it says that nobody can delete it", async () => {
    const { id, path } = await unknown("until tonight", { deleteAfter: 3_600 });
    expect(await read(id)).not.toHaveProperty("deletion");
    const { body } = await call("POST", path, { verdict: "sent" });
    const deletion = { state: "failed", at: expect.any(String), error: expect.any(String) };
    expect(body).toEqual({ id, state: "sent", deletion });
    expect(await read(id)).toMatchObject({ deletion });
  });

  test("failed: no retry of unknown ones by hand sends it", async () => {
    const { id, path, person } = await unknown("say never again");
    await call("POST", path, { verdict: "failed" });
    expect(await read(id)).toMatchObject({ state: "failed", errorClass: "marked-failed" });
    await call("POST", "/v1/jobs/retry", { errorClass: "Unknown" });
    expect(await jobOf(id)).toMatchObject({ state: "discarded" });
    expect(received(person)).toHaveLength(1);
  });

  test.each([
    ["by its own job", false],
    ["by a new one, where the ledger has dropped its own", true],
  ])("sent again, %s, however many say so at once", async (_how, isDropped) => {
    const { id, path, person } = await unknown("say again");
    if (isDropped) {
      await world.system.db.query("DELETE FROM jobs WHERE payload ->> 'messageId' = $1", [id]);
    }
    const answers = await Promise.all(
      [1, 2, 3].map(() => call("POST", path, { verdict: "resend" })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    await ended(id, "sent");
    expect(received(person)).toEqual(["say again", "say again"]);
  });
});

test("a refused token: all of it waits, until it expires or there is a good one, and the team is told", async () => {
  const revoked = await world.connectBot();
  const { chatId } = await someone(revoked);
  const { db, jobs, log } = world.system;
  const { token } = world.sandbox.revokeToken(revoked.id);
  const stale = await submit({ chatId, expiresAt: inHours(1) }, revoked);
  const patient = await submit({ chatId }, revoked);
  const connector = `/v1/connectors/${revoked.connectorId}`;
  await waitFor(async () => (await call("GET", connector)).body.status === "disabled", {
    what: "the connector to be disabled",
  });
  await waitFor(async () => (await read(stale)).state === "queued");
  expect((await read(stale)).advice).toMatch(/Replace the bot's token/);
  expect(
    await db.query("SELECT 1 AS one FROM audit_entries WHERE action = $1 AND subject_id = $2", [
      "connector.disabled",
      revoked.connectorId,
    ]),
  ).toHaveLength(1);
  await db.query("UPDATE outbound_messages SET expires_at = now() WHERE id = $1", [stale]);
  await createExpiryKeeper({ db, jobs, log }).runOnce();
  expect(await read(stale)).toMatchObject({ state: "failed", errorClass: "expired" });
  expect(await jobOf(stale)).toMatchObject({ state: "cancelled", error_class: "expired" });
  expect((await call("POST", `${connector}/token`, { botToken: token })).status).toBe(200);
  await ended(patient, "sent");
});
