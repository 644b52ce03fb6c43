import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../../test/support/conversations-world.ts";
import {
  GROUP,
  group,
  inGroup,
  membership,
  message,
  PERSON,
  pressed,
  privateChat,
  T0,
  user,
  type Wire,
} from "../../../test/support/telegram-updates.ts";
import type { Reply, ReplyButton, Scope } from "../../conversations/index.ts";
import { insertJobs } from "../../jobs/index.ts";
import { createReplySink, type JobSink } from "../../outbound/index.ts";
import { createEntry, type KindName, type NewEntry } from "../../register/index.ts";
import { createDialogs } from "../dialogs/index.ts";
import { createHandlers } from "../handlers.ts";
import { createRequestSink } from "../request-sink.ts";

const NOW = Date.UTC(2026, 6, 14, 10, 5);
type Message = Extract<Reply, { kind: "message" }>;

let world: World;
let scope: Scope;
let lastId = 0;

beforeAll(async () => {
  const jobs: JobSink = { enqueueIn: (tx, wanted) => insertJobs(tx.engine, wanted) };
  const dialogs = createDialogs({ jobs });
  world = await createWorld({
    requests: createRequestSink(createHandlers({ dialogs, clock: () => NOW })),
    sends: createReplySink({ jobs }),
  });
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
  await world.link(scope, GROUP);
});

const entry = (kind: KindName, values: NewEntry, of = scope) =>
  world.db.transaction((tx) => createEntry(tx, { workspaceId: of.workspaceId, kind, values }));
const risk = (n: number, likelihood: number) =>
  entry("risk", {
    code: `R-${n}`,
    title: `Risk <${n}>`,
    residualLikelihood: likelihood,
    residualImpact: 5,
    treatment: "mitigate",
  });

/** What is said to updates. */
async function saidTo(...updates: Wire[]): Promise<Reply[]> {
  world.replies.length = 0;
  await world.ingest(scope, ...updates);
  return [...world.replies];
}
const messages = (replies: Reply[]) =>
  replies.filter((reply): reply is Message => reply.kind === "message");

/** In the private chat of PERSON. */
async function ask(text: string, rest: Wire = {}): Promise<Message> {
  const [answer] = messages(await saidTo({ message: message(++lastId, text, rest) }));
  if (answer === undefined) throw new Error("no answer");
  return answer;
}
const askInGroup = (text: string) => saidTo({ message: inGroup(++lastId, text) });

/** A press on a message of the bot's own, which Telegram has under this number. */
const press = (data: string, messageId = 7, rest: Wire = {}) =>
  saidTo({
    callback_query: pressed(data, {
      message: { message_id: messageId, date: T0, chat: privateChat() },
      ...rest,
    }),
  });
const buttonsOf = ({ buttons = [] }: Message): ReplyButton[] => buttons.flat();

describe("/compliance", () => {
  test("shows how it stands; a framework by whatever spelling; a misspelt one by a button", async () => {
    const { id: framework } = await entry("framework", {
      code: "ISO27001",
      title: "Security & all",
    });
    await entry("framework", { code: "SOC2", title: "Trust services" });
    const { id } = await entry("requirement", { code: "A.1", title: "First", framework });
    await entry("requirement", { code: "A.2", title: "Second", framework });
    await entry("control", { code: "C1", title: "C", status: "active", requirements: [id] });
    const { text } = await ask("/Compliance@HELIO_bot");
    expect(text).toMatch(/Overall score: <b>50 of 100<\/b>\nCritical issues: 0\nOpen tasks: 0\n/);
    expect(text).toMatch(/Security &amp; all: 50 of 100\n• Trust services: no score yet$/);

    const page = await ask("/compliance “iso 27001”");
    expect(page.text).toContain("Requirements: 2\n• Met: 1\n• Without a control: 1\nControls: 1\n");
    const suggestion = await ask("/compliance sco2");
    expect(suggestion.text).toContain("Did you mean");
    const [button] = buttonsOf(suggestion);
    expect(button?.text).toBe("Trust services (SOC2)");
    const [answer, edit] = await press(button?.data ?? "");
    expect(answer).toMatchObject({ kind: "callback-answer" });
    expect(edit).toMatchObject({ edits: suggestion.id, text: expect.stringContaining("SOC2") });
    expect((await ask("/compliance nothing like it")).buttons).toBeUndefined();
  });

  test("of another workspace shows nothing of this one's", async () => {
    await entry("framework", { code: "SECRET", title: "Secret" });
    const suggestion = await ask("/compliance secert");
    const [button] = buttonsOf(suggestion);
    scope = await world.newScope();
    expect((await ask("/compliance secret")).text).toContain("I know no framework");
    expect(await press(button?.data ?? "")).toMatchObject([
      { kind: "callback-answer", text: expect.stringContaining("too old") },
    ]);
  });
});

describe("/risk", () => {
  test("counts levels and shows the top; of a level, pages that edit the message", async () => {
    for (const n of [1, 2, 3, 4, 5, 6]) await risk(n, 3);
    await risk(7, 5);
    await entry("risk", { code: "R-8", title: "Nobody looked" });
    const all = await ask("/risk");
    expect(all.text).toContain(
      "Total: 8\nCritical: 1\nHigh: 6\nMedium: 0\nLow: 0\nNot assessed: 1",
    );
    expect(all.text).toContain("1. 🚨 <code>R-7</code> Risk &lt;7&gt;: Critical (25), mitigate");
    expect(buttonsOf(all).map(({ text }) => text)).toEqual(["🚨 Critical", "🔺 High"]);

    const high = await ask("/risk hoch", { from: user(PERSON, { language_code: "de-AT" }) });
    expect(high.text).toContain("Seite 1 von 2");
    const [next] = buttonsOf(high);
    const [answer, edit] = await press(next?.data ?? "");
    expect(answer).toMatchObject({ kind: "callback-answer", text: "Page 2 of 2" });
    expect(edit).toMatchObject({ kind: "message", edits: high.id });
    expect(edit?.text).toMatch(/\n6\. .*Risk &lt;\d&gt;: High \(15\), mitigate\n/);
    expect((await ask("/risk huge")).text).toContain("Levels: critical, high, medium, low");
  });
});

describe("/audit", () => {
  test("is planned once a message, with a number of the workspace's own", async () => {
    await entry("audit", { code: "AU-7", title: "By hand" });
    await entry("framework", { code: "ISO27001", title: "Information security" });
    expect((await ask("/audit")).text).toMatch(
      /^Usage: .*\nExample: .*\n\n.*\n• .*AU-7.*: planned$/,
    );
    const update = { message: message(++lastId, "/audit iso-27001") };
    const [planned] = await saidTo(update);
    expect(planned?.text).toContain("Audit AU-8 is planned");
    expect(planned?.text).toContain("Framework: Information security");
    expect(await saidTo(update)).toEqual([]);
    expect(await world.count("audits", scope)).toBe(2);
    const logged = await world.db.query(
      `SELECT actor_kind, actor_id FROM audit_entries
       WHERE workspace_id = $1 AND action = 'entry.created' AND actor_kind = 'telegram_user'`,
      [scope.workspaceId],
    );
    expect(logged).toEqual([{ actor_kind: "telegram_user", actor_id: String(PERSON) }]);
  });

  test("of many people at once: as many numbers, none twice", async () => {
    const lanes = Array.from({ length: 12 }, (_, n) =>
      world.lane(scope, [
        {
          message: message(1, "/audit security", {
            from: user(3_000 + n),
            chat: privateChat(3_000 + n),
          }),
        },
      ]),
    );
    await Promise.all(lanes.map((lane) => world.ingestLanes([lane])));
    const rows = await world.db.query<{ code: string }>(
      "SELECT code FROM audits WHERE workspace_id = $1 ORDER BY length(code), code",
      [scope.workspaceId],
    );
    expect(rows.map(({ code }) => code)).toEqual(lanes.map((_, n) => `AU-${n + 1}`));
  });
});

describe("/reports", () => {
  test.each([
    ["compliance", "Overall score: <b>no score yet</b>", "Findings recorded: <code>0</code>"],
    ["risk", "Total: 1", "Risks recorded: <code>1</code>"],
    ["evidence", "Waiting for review: <code>0</code>", "Handed in: <code>0</code>"],
    ["audit", "Audits planned: <code>0</code>", "Audits asked for: <code>0</code>"],
  ])("%s", async (type, now, within) => {
    await risk(1, 5);
    await world.db.query("UPDATE risks SET created_at = $1", [new Date(NOW)]);
    const { text } = await ask(`/reports ${type} month`);
    expect(text).toMatch(/^📊 <b>Report ready<\/b>\n<b>\w+ report<\/b>\nPeriod: 2026-07 /);
    expect(text).toContain("Generated: 2026-07-14 10:05 UTC");
    expect(text).toContain(now);
    expect(text).toContain(within);
  });
});

describe("who asks, and where", () => {
  test("an audit is not planned where whoever asks for it would be told to ask again elsewhere", async () => {
    const [note] = messages(await askInGroup("/audit security"));
    expect(note?.text).toContain("ask me there");
    expect(await world.count("audits", scope)).toBe(0);
    await ask("hello");
    expect(await askInGroup("/audit security")).toHaveLength(2);
    expect(await world.count("audits", scope)).toBe(1);
  });

  test("in a group nothing of the register is said: it goes to the private chat, if there is one", async () => {
    await entry("framework", { code: "SECRET", title: "Secret plans" });
    const stranger = messages(await askInGroup("/compliance"));
    expect(stranger).toMatchObject([{ chatId: String(GROUP), replyToMessageId: String(lastId) }]);
    expect(stranger.flatMap(buttonsOf)).toEqual([
      { text: "Open our chat", url: "https://t.me/helio_bot?start=hello" },
    ]);
    await ask("/start");
    for (const command of ["/compliance", "/compliance secret", "/risk", "/audit", "/audit x"]) {
      const [own, note] = messages(await askInGroup(command));
      expect(own).toMatchObject({ chatId: String(PERSON), threadId: null });
      expect(note).toMatchObject({ chatId: String(GROUP), replyToMessageId: String(lastId) });
      expect(note?.text).toBe("I have answered you in our private chat.");
    }
    await saidTo({ my_chat_member: membership("kicked", { date: T0 + 1_000_000 }) });
    const blocked = messages(await askInGroup("/risk"));
    expect(blocked.map(({ chatId }) => chatId)).toEqual([String(GROUP)]);
    expect(JSON.stringify(await askInGroup("/compliance secert"))).not.toContain("Secret plans");
  });

  test("where the register is for members, others are told how to become one", async () => {
    await world.db.query("UPDATE connectors SET register_access = 'members' WHERE id = $1", [
      scope.connectorId,
    ]);
    for (const command of ["/compliance", "/risk high", "/audit x", "/reports risk month"]) {
      expect((await ask(command)).text).toContain("personal link");
    }
    expect(await world.count("audits", scope)).toBe(0);
    expect((await ask("/help")).text).not.toContain("/risk");
    await world.db.query(
      `INSERT INTO people (workspace_id, name, role, telegram_user_id, bound_at)
       VALUES ($1, 'Ada', 'auditor', $2, now())`,
      [scope.workspaceId, PERSON],
    );
    expect((await ask("/risk")).text).toContain("Risk assessment");
    const help = (await ask("/help")).text;
    expect(help).toContain("/risk [level]");
    // Whoever looks at others' evidence hands none in.
    expect(help).not.toContain("/evidence");
    expect(help).not.toContain("begins a piece of evidence");
  });

  test("what is typed wrong is answered by how to write it", async () => {
    expect((await ask('/compliance "ISO')).text).toContain("quotation mark");
    expect((await ask(`/audit ${"x".repeat(101)}`)).text).toContain("100 characters");
    expect((await ask("/reports")).text).toContain("/reports compliance month");
    expect((await ask("/reports", { from: user(PERSON, { language_code: "de" }) })).text).toContain(
      "Beispiel",
    );
  });
});

describe("a press", () => {
  test("counts only on a list of the bot's own, of this chat, by who still may", async () => {
    for (const n of [1, 2, 3, 4, 5, 6]) await risk(n, 5);
    const shown = await ask("/risk critical");
    const data = buttonsOf(shown)[0]?.data ?? "";
    const refused = async (replies: Promise<Reply[]>) => {
      const [answer, ...rest] = await replies;
      expect(answer).toMatchObject({ kind: "callback-answer" });
      expect(answer?.text.length).toBeLessThanOrEqual(200);
      expect(rest).toEqual([]);
    };
    // Another's chat, a group, an inline message, a message that is no list, another number.
    const other = {
      from: user(2_000),
      message: { message_id: 7, date: T0, chat: privateChat(2_000) },
    };
    await refused(press(data, 7, other));
    await refused(press(data, 7, { message: { message_id: 7, date: T0, chat: group() } }));
    await refused(press(data, 7, { message: undefined, inline_message_id: "x" }));
    const start = await ask("/start");
    await world.db.query(
      "UPDATE outbound_messages SET telegram_message_ids = '{8}' WHERE id = $1",
      [shown.id],
    );
    await refused(press(data, 7));
    expect(await press(data, 8)).toMatchObject([{}, { edits: shown.id }]);
    for (const forged of [
      "hg:",
      "hg:l:",
      "hg:l:x",
      "hg:l:c:0:short",
      "hg:d:1",
      "hg:z",
      "hg:l:h:h",
    ]) {
      await refused(press(forged, 8));
    }
    const rows = await world.db.query<{ id: string }>(
      "SELECT id FROM outbound_messages WHERE connector_id = $1 AND text = $2",
      [scope.connectorId, start.text],
    );
    const startId = Buffer.from(rows[0]?.id.replaceAll("-", "") ?? "", "hex").toString("base64url");
    await refused(press(`hg:l:c:0:${startId}`, 9));
    await world.db.query("UPDATE connectors SET register_access = 'members' WHERE id = $1", [
      scope.connectorId,
    ]);
    await refused(press(data, 8));
  });

  test("of Help is answered where it was pressed", async () => {
    const [answer, help] = await press("hg:l:h");
    expect(answer).toMatchObject({ kind: "callback-answer" });
    expect(help?.text).toContain("/reports [type] [period]");
    expect((await ask("/help")).text).toContain("begins a piece of evidence");
    await world.db.query("UPDATE chats SET purpose = 'support' WHERE connector_id = $1", [
      scope.connectorId,
    ]);
    expect((await ask("/help")).text).not.toContain("begins a piece of evidence");
  });
});
