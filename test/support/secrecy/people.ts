import { randomBytes, randomInt } from "node:crypto";
import { sha256 } from "../../../src/platform/index.ts";
import { rawRequest } from "../system.ts";
import { waitFor } from "../wait-for.ts";
import type { Bot } from "./bots.ts";
import type { SecrecyWorld } from "./world.ts";

/** What people write and share, what is written to them, and what goes wrong on the way. */

/** A person who has begun to talk to the bot. */
export async function newPerson({ sandbox, mark }: SecrecyWorld, bot: Bot) {
  const person = sandbox.createUser({ firstName: `Ada ${mark}`, lastName: mark });
  await sandbox.send({ chatId: person.id, botId: bot.id, from: person.id, text: `hi ${mark}` });
  return person;
}

const contactOf = ({ mark, phone }: SecrecyWorld, userId: number) => ({
  phone_number: `+${phone}`,
  first_name: `Ada ${mark}`,
  user_id: userId,
  vcard: `BEGIN:VCARD\nVERSION:3.0\nFN:Ada ${mark}\nitem1.TEL;TYPE=cell:+${phone}\nEND:VCARD`,
});

/** All that was said has arrived and was worked on. */
export async function arrived(world: SecrecyWorld, bot: Bot): Promise<void> {
  const pending = () => world.sandbox.webhookInfo(bot.id).pending_update_count;
  await waitFor(() => pending() === 0, { timeoutMs: 20_000, what: "Telegram to have delivered" });
  await world.settled("ingest");
}

/** In: texts, files, edits, a group, a phone number in each of the places where one may come. */
export async function talk(world: SecrecyWorld, bot: Bot): Promise<void> {
  const { sandbox, mark, call } = world;
  const ada = await newPerson(world, bot);
  const chat = { chatId: ada.id, botId: bot.id, from: ada.id };
  await sandbox.send({ ...chat, text: `/start ${mark}` });
  await sandbox.send({ ...chat, text: `/${mark.slice(-8)} nobody knows this command` });
  // What people type is their message, numbers and all.
  const typed = `1666${randomInt(1_000_000, 10_000_000)}`;
  world.hide("words", "a phone number that was typed", typed);
  const [said] = await sandbox.send({ ...chat, text: `hello ${mark}, call +${typed}` });
  sandbox.edit({ ...chat, messageId: said?.message_id ?? 0, text: `hello again ${mark}` });
  const content = Buffer.from(`content ${mark}`);
  const document = { name: `${mark}.pdf`, contentType: "application/pdf", content };
  await sandbox.send({ ...chat, document, caption: `caption ${mark}` });
  const [card] = await sandbox.send({ ...chat, contact: contactOf(world, ada.id) });
  const replyTo = card?.message_id ?? 0;
  await sandbox.send({ ...chat, text: `that was mine, ${mark}`, replyTo });
  const answered = { connectorId: bot.connectorId, chatId: String(ada.id), text: `thanks ${mark}` };
  // Telegram's answer to it quotes what it replies to.
  await call("POST", "/v1/messages", { body: { ...answered, replyTo: String(replyTo) } });

  await talkInGroups(world, bot, ada.id);
  await talkToBusiness(world, bot, ada.id);
  await arrived(world, bot);
  await call("GET", chatsOf(bot), { shows: "words" });
  const path = `/v1/conversations?connectorId=${bot.connectorId}`;
  const listed = await call("GET", path, { shows: "words" });
  for (const { id } of (listed.json as { data: { id: string }[] }).data) {
    await call("GET", `/v1/conversations/${id}/messages`, { shows: "words" });
  }
}

const chatsOf = ({ connectorId }: Bot) => `/v1/connectors/${connectorId}/chats`;

/** In a group that is linked, and moves, and in one that is not. */
async function talkInGroups(world: SecrecyWorld, bot: Bot, userId: number): Promise<void> {
  const { sandbox, mark, call } = world;
  const memberIds = [userId, bot.id];
  for (const linked of [true, false]) {
    const { id: chatId } = sandbox.createChat({
      type: "supergroup",
      title: `Forum ${mark}`,
      memberIds,
    });
    if (linked)
      await call("PUT", `${chatsOf(bot)}/${chatId}`, { body: { linked }, shows: "words" });
    const said = { chatId, from: userId };
    const [message] = await sandbox.send({ ...said, text: `in a group ${mark}` });
    sandbox.react({ ...said, messageId: message?.message_id ?? 0, emojis: ["👍"] });
    sandbox.pin({ ...said, messageId: message?.message_id ?? 0 });
    const [poll] = await sandbox.send({
      ...said,
      poll: { question: `${mark}?`, options: [mark, "no"], isAnonymous: false },
    });
    sandbox.vote({ ...said, messageId: poll?.message_id ?? 0, optionIds: [0] });
    await sandbox.send({ ...said, contact: contactOf(world, userId) });
    sandbox.pushUpdate(bot.id, { message: topicMade(chatId, `Topic ${mark}`) });
  }
  const moving = sandbox.createChat({ type: "group", title: `Moving ${mark}`, memberIds });
  const body = { linked: true, purpose: "support" };
  await call("PUT", `${chatsOf(bot)}/${moving.id}`, { body, shows: "words" });
  await sandbox.send({ chatId: moving.id, from: userId, text: `before ${mark}` });
  const chatId = sandbox.migrate(moving.id);
  await sandbox.send({ chatId, from: userId, contact: contactOf(world, userId) });
}

/** Bot API: ForumTopicCreated. */
const topicMade = (chatId: number, name: string) => ({
  message_id: 9_000,
  message_thread_id: 9_000,
  is_topic_message: true,
  date: 1_790_000_000,
  chat: { id: chatId, type: "supergroup", title: name, is_forum: true },
  from: { id: 9_000, is_bot: false, first_name: name },
  forum_topic_created: { name, icon_color: 7_322_096 },
});

/** What lets people and groups in, written where it works and where it does not. */
export async function invite(world: SecrecyWorld, bot: Bot): Promise<void> {
  const { sandbox, mark, call, hide } = world;
  const { connectorId } = bot;
  const shownOnce = { shows: "API key" } as const;
  const person = await call("POST", "/v1/people", { body: { name: mark }, shows: "words" });
  const { id } = person.json as { id: string };
  const link = await call("POST", `/v1/people/${id}/link`, { body: { connectorId }, ...shownOnce });
  const { token } = link.json as { token: string };
  const codes = `/v1/connectors/${connectorId}/link-codes`;
  const made = await call("POST", codes, { body: {}, ...shownOnce });
  const { code } = made.json as { code: string };
  hide("invitation", "the token of a person's link", token);
  hide("invitation", "the code of a group's link", code);
  const ada = await newPerson(world, bot);
  const chat = { chatId: ada.id, botId: bot.id, from: ada.id };
  await sandbox.send({ ...chat, text: `/start ${token}` });
  await sandbox.send({ ...chat, text: `is ${token} good?` });
  const memberIds = [ada.id, bot.id];
  const group = sandbox.createChat({ type: "group", title: `Strange ${mark}`, memberIds });
  await sandbox.send({ chatId: group.id, from: ada.id, text: `/link ${code}` });
  await arrived(world, bot);
}

/** To an account that the bot looks after. */
async function talkToBusiness(world: SecrecyWorld, bot: Bot, userId: number): Promise<void> {
  const { sandbox, mark } = world;
  const owner = sandbox.createUser({ firstName: `Owner ${mark}` });
  const businessConnectionId = sandbox.connectBusiness({ userId: owner.id, botId: bot.id });
  const place = { chatId: userId, businessConnectionId };
  const said = await sandbox.send({ ...place, from: userId, text: `open today, ${mark}?` });
  await sandbox.send({ ...place, from: userId, contact: contactOf(world, userId) });
  const messageIds = said.map(({ message_id }) => message_id);
  sandbox.deleteMessages({ ...place, from: userId, messageIds });
  sandbox.disconnectBusiness(businessConnectionId);
}

/** An update that the database refuses, quoting all of it, until its attempts are spent. */
export async function sayWhatFails(world: SecrecyWorld, bot: Bot): Promise<void> {
  const { sandbox, mark, database } = world;
  await database.owner.query(
    "ALTER TABLE messages ADD CONSTRAINT no_poison CHECK (text NOT LIKE '%poison%') NOT VALID",
  );
  const person = await newPerson(world, bot);
  const text = `poison ${mark}`;
  await sandbox.send({ chatId: person.id, botId: bot.id, from: person.id, text });
  await waitFor(
    async () =>
      (await database.db.query("SELECT 1 FROM jobs WHERE error_class = 'postgres 23514'")).length >
      0,
    { timeoutMs: 20_000, what: "the failed attempt" },
  );
  await database.owner.query("ALTER TABLE messages DROP CONSTRAINT no_poison");
}

/** Straight to the receiver: what is no update, and what proves nothing. */
export async function sendNonsense(world: SecrecyWorld, bot: Bot): Promise<number[]> {
  const { mark, phone, url, database } = world;
  const secret = randomBytes(24).toString("hex");
  world.hide("secret", "a webhook's secret", secret);
  const [row] = await database.db.query<{ webhook_key: string }>(
    `UPDATE connectors SET previous_secret_hashes = previous_secret_hashes || $2::bytea
     WHERE id = $1 RETURNING webhook_key`,
    [bot.connectorId, sha256(secret)],
  );
  const own = `/webhooks/telegram/${row?.webhook_key}`;
  const send = async (body: string, headers: Record<string, string> = {}, path = own) => {
    const answer = await rawRequest(
      url + path,
      {
        headers: {
          "content-type": "application/json",
          "x-telegram-bot-api-secret-token": secret,
          ...headers,
        },
      },
      body,
    );
    world.heard(`${answer.status} ${JSON.stringify(answer.headers)}\n${answer.body}`);
    return answer.status;
  };
  // The process may still have the old hashes in hand, and only so many may be wrong in a minute.
  const isKnown = async () => (await send("{")) === 400;
  await waitFor(isKnown, { intervalMs: 100, what: "the secret to be known" });
  const from = { id: 1_000, is_bot: false, first_name: mark };
  const order = { id: "1", from, order_info: { name: mark, phone_number: phone } };
  const kinds = { pre_checkout_query: order, new_kind: { from, contact: contactOf(world, 1_000) } };
  let id = 900_000_000;
  for (const [kind, body] of Object.entries(kinds)) {
    const status = await send(JSON.stringify({ update_id: id++, [kind]: body }));
    if (status !== 200) throw new Error(`${kind} was not accepted: ${status}`);
  }
  const wrong = { "x-telegram-bot-api-secret-token": `${secret}x` };
  const brackets = ["[".repeat(500), "]".repeat(500)];
  return [
    await send(`{"text":"${mark}`),
    await send(`{"update_id":"${mark}"}`),
    await send(`{"update_id":1,"x":${brackets.join(`"${mark}"`)}}`),
    await send(`{"update_id":1,"text":"${mark}${"x".repeat(1_100_000)}"}`),
    await send(`"${mark}"`, { "content-type": "text/plain" }),
    await send("{}", wrong),
    await send("{}", wrong, `${own}/?a=${mark}`),
    await send("{}", wrong, own.replace("webhooks", "Webhooks")),
    await send("{}", {}, `/webhooks/telegram/${mark}`),
    await send("{}", {}, `/webhooks/telegram/${secret}`),
    await send("{}", { "x-telegram-bot-api-secret-token": bot.token }),
  ];
}

/** The same, where Telegram is asked instead of sending. */
export async function sharePolled(world: SecrecyWorld, bot: Bot): Promise<void> {
  const { sandbox, mark } = world;
  const ada = await newPerson(world, bot);
  const chat = { chatId: ada.id, botId: bot.id, from: ada.id };
  await sandbox.send({ ...chat, contact: contactOf(world, ada.id) });
  await sandbox.send({ ...chat, text: `asked for ${mark}` });
  await arrived(world, bot);
  if (!sandbox.record.deliveries.some(({ via }) => via === "getUpdates")) {
    throw new Error("nothing was polled");
  }
}

const FAULTS = [
  { status: 502 },
  { status: 429, error_code: 429, description: "Too Many", parameters: { retry_after: 1 } },
  "reset-before-effect",
  "reset-after-effect",
  "html",
  "hang",
] as const;

/** Out: each fault of Telegram's, and what can be wrong with a message. */
export async function send(world: SecrecyWorld, bot: Bot): Promise<void> {
  const { sandbox, mark, call } = world;
  const ids: string[] = [];
  const submit = async (change: object, headers: Record<string, string> = {}) => {
    const text = `secret answer ${mark}`;
    const body = { connectorId: bot.connectorId, text, ...change };
    const { json } = await call("POST", "/v1/messages", { body, headers });
    const { id } = (json ?? {}) as { id?: string };
    if (id !== undefined) ids.push(id);
  };
  const description = `Bad Request: ${mark} is not welcome`;
  for (const answer of [...FAULTS, { status: 400, error_code: 400, description }]) {
    const { id: chatId } = await newPerson(world, bot);
    sandbox.fault({ botId: bot.id, chatId, method: "sendMessage", answer });
    await submit({ chatId: String(chatId) });
  }
  const ada = await newPerson(world, bot);
  const chatId = String(ada.id);
  const entities = `Bad Request: can't parse entities: "${mark}"`;
  sandbox.fault({
    botId: bot.id,
    chatId: ada.id,
    method: "sendMessage",
    answer: { status: 400, error_code: 400, description: entities },
  });
  await submit({ chatId, format: "html", text: `<b>${mark}</b>` });
  await submit({ chatId, format: "html", text: `<b>${mark}` });
  await submit({ chatId: "99999999" });
  await submit({ chatId, buttons: [[{ text: mark, data: mark }]] }, { "idempotency-key": "one" });
  await submit({ chatId, buttons: [[{ text: mark, data: mark }]] }, { "idempotency-key": "one" });
  await submit({ chatId, text: `another ${mark}` }, { "idempotency-key": "one" });
  await submit({ chatId, text: "" });
  await submit({ chatId, text: "x".repeat(40_001) });
  await submit({ chatId, sendAt: mark });
  await submit({ chatId: mark });
  await submit({ chatId, sendAt: new Date(Date.now() + 3_600_000).toISOString() });
  const waits = `/v1/messages/${ids.at(-1)}`;
  await call("PATCH", waits, { body: { text: `changed ${mark}` } });
  await call("PATCH", waits, { body: { sendAt: mark } });
  await call("DELETE", waits);
  await call("PATCH", waits, { body: { text: `too late ${mark}` } });
  const template = {
    name: "secret",
    body: `${mark} {{who}}`,
    variables: { who: { type: "string" } },
  };
  await call("POST", "/v1/templates", { body: template, shows: "words" });
  await call("POST", "/v1/templates", { body: { ...template, body: `{{${mark}}}` } });
  for (const who of [mark, { [mark]: mark }]) {
    await submit({ chatId, text: undefined, template: { name: "secret", variables: { who } } });
  }
  const place = { chatId: ada.id, botId: bot.id };
  const hasButton = () => sandbox.messages(place).find((message) => "reply_markup" in message);
  const { message_id: messageId } = await waitFor(hasButton, { what: "the message with a button" });
  sandbox.pressButton({ ...place, from: ada.id, messageId, data: mark });
  await arrived(world, bot);
  await broadcast(world, bot, chatId);
  await world.settled("outbound");
  // What Telegram said of a message is told to who sent it.
  for (const id of ids) await call("GET", `/v1/messages/${id}`, { shows: "words" });
  await call("GET", "/v1/messages?state=failed,unknown,cancelled", { shows: "words" });
}

/** To all who have a tag, until everybody has it. */
async function broadcast({ call, mark }: SecrecyWorld, bot: Bot, chatId: string): Promise<void> {
  const shows = "words";
  await call("PUT", `${chatsOf(bot)}/${chatId}/tags`, { body: { tags: [mark] }, shows });
  const body = { connectorId: bot.connectorId, segment: { tag: mark }, text: `news ${mark}` };
  const { json } = await call("POST", "/v1/broadcasts", { body });
  const path = `/v1/broadcasts/${(json as { id: string }).id}`;
  await call("POST", `${path}/pause`, { shows });
  await call("GET", `${path}/recipients`, { shows });
  await call("POST", `${path}/resume`, { shows });
  const state = async () => (await call("GET", path, { shows })).json as { state: string };
  const isDone = async () => (await state()).state === "done";
  await waitFor(isDone, { timeoutMs: 20_000, intervalMs: 200, what: "the broadcast to be done" });
}
