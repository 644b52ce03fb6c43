import { createPerson } from "../../../src/people/index.ts";
import { waitFor } from "../wait-for.ts";
import type { Bot } from "./bots.ts";
import { arrived, newPerson } from "./people.ts";
import type { SecrecyWorld } from "./world.ts";

/** What people hand in as evidence, and what is done with it: by the pool, by callers, by operators. */

interface Keyboard {
  inline_keyboard: { text: string; callback_data?: string }[][];
}

/** As a file is met by somebody who wants it: each once. */
const FILE_FAULTS = [
  { method: "getFile", answer: "html" },
  { method: "file", answer: "reset-after-effect" },
] as const;

/** A dialog from its command to its end; albums, photos, what is harmful, too large, or does not come at once. */
export async function handIn(world: SecrecyWorld, bot: Bot): Promise<void> {
  const { sandbox, mark, content, call } = world;
  const ada = await newPerson(world, bot);
  const place = { chatId: ada.id, botId: bot.id };
  const chat = { ...place, from: ada.id };
  const fileOf = (text: string, name = `${mark}.txt`) => ({
    name,
    contentType: "text/plain",
    content: Buffer.from(text),
  });
  // A server of one's own may name what it cannot read by a path in which the token stands.
  const description = `Bad Request: can't open /files/${bot.token}/documents/file_1.txt`;
  const refusal = { status: 400, error_code: 400, description };
  for (const fault of [...FILE_FAULTS, { method: "getFile", answer: refusal }]) {
    sandbox.fault({ botId: bot.id, ...fault });
  }
  await sandbox.send({ ...chat, text: `/evidence document "Report ${mark}"` });
  await sandbox.send({ ...chat, document: fileOf(`${content} 1`), caption: `caption ${mark}` });
  const album = [2, 3].map((n) => ({
    kind: "document" as const,
    file: fileOf(`${content} ${n}`),
    caption: `part ${n} ${mark}`,
  }));
  await sandbox.send({ ...chat, album });
  await sandbox.send({ ...chat, document: fileOf(`EICAR ${content}`, `harm ${mark}.exe`) });
  await sandbox.send({ ...chat, text: `controls like ${mark}` });
  await arrived(world, bot);
  for (const maxBytes of [100, 1_000_000]) {
    await call("PATCH", "/v1/evidence-settings", { body: { maxBytes } });
    if (maxBytes > 100) continue;
    await sandbox.send({ ...chat, document: fileOf(`${content} ${"x".repeat(200)}`) });
    await arrived(world, bot);
  }
  for (const label of ["Skip", "Submit for review"]) {
    // A card that has not changed yet shows buttons that do nothing any more.
    await world.settled("outbound");
    const { messageId, data } = await waitFor(() => buttonOf(world, place, label), { what: label });
    sandbox.pressButton({ ...chat, messageId, data });
  }
  await arrived(world, bot);
  const areOver = async () => {
    const files = await world.database.owner.query<{ state: string }>(
      "SELECT state FROM evidence_files",
    );
    const states = files.map(({ state }) => state);
    if (states.includes("queued") || states.includes("downloading")) return false;
    return (
      states.includes("quarantined") && states.filter((state) => state === "stored").length >= 3
    );
  };
  await waitFor(areOver, { timeoutMs: 45_000, intervalMs: 100, what: "the files to be fetched" });
  await world.settled("outbound");
}

function buttonOf(
  { sandbox }: SecrecyWorld,
  place: { chatId: number; botId: number },
  label: string,
) {
  for (const message of sandbox.messages(place).reverse()) {
    const buttons = (message.reply_markup as Keyboard | undefined)?.inline_keyboard?.flat() ?? [];
    const data = buttons.find(({ text }) => text === label)?.callback_data;
    if (data !== undefined) return { messageId: message.message_id, data };
  }
  return undefined;
}

interface Shown {
  id: string;
  revision: number;
  files: { id: string; state: string }[];
}

/** By API: asked for, handed in, read, held, searched, packed; and what is wrong with a call. */
export async function lookAtEvidence(world: SecrecyWorld): Promise<void> {
  const { mark, content, call, hideKey } = world;
  const shows = "words";
  const headers = { "idempotency-key": "evidence" };
  const body = { description: `asked for ${mark}`, type: mark };
  const asked = await call("POST", "/v1/evidence", { body, headers, shows });
  await call("POST", "/v1/evidence", { body: { dueOn: mark } });
  const path = `/v1/evidence/${(asked.json as Shown).id}`;
  const upload = (name: string, more: object = {}) =>
    call("POST", `${path}/files?name=${name}`, {
      body: `${content} by hand`,
      headers: { "content-type": "text/plain", "idempotency-key": "file", ...more },
      shows,
    });
  await upload(`${mark}.txt`);
  await upload(`${mark}.txt`, { "content-type": mark });
  await upload(mark.repeat(100));
  await call("POST", `${path}/submit`);
  const grant = {
    body: { name: "Reviewer", scopes: ["approve", "audit"] },
    shows: "API key",
  } as const;
  const { apiKey } = (await call("POST", "/v1/keys", grant)).json as { apiKey: string };
  hideKey(apiKey);
  const reason = `not like this, ${mark}`;
  await call("POST", `${path}/reject`, { key: apiKey, body: { revision: 1, reason } });
  await call("POST", `${path}/reject`, { key: apiKey, body: { revision: 1, reason: [mark] } });
  const hold = (await call("POST", `${path}/hold`, { body: { reason: mark }, shows })).json as {
    id: string;
  };
  await call("DELETE", path);
  await call("POST", `${path}/release`, { body: { holdId: hold.id }, shows });
  const listed = (await call("GET", "/v1/evidence", { shows })).json as { data: Shown[] };
  for (const { id, files } of listed.data) {
    await call("GET", `/v1/evidence/${id}`, { shows });
    await call("GET", `/v1/evidence/${id}/provenance`, { shows });
    for (const file of files) {
      const path = `/v1/evidence/${id}/files/${file.id}`;
      // Nobody is given what is harmful.
      await call("GET", path, { shows: file.state === "stored" ? "content" : "nothing" });
      const range = { headers: { range: `bytes=0-10;${mark}` } };
      await call("GET", path, { ...range, shows: file.state === "stored" ? "content" : "nothing" });
    }
  }
  for (const query of [`q=${mark}`, `q=${mark}&kind=evidence`, `q=${mark}&kind=${mark}`]) {
    await call("GET", `/v1/search?${query}`, { shows });
  }
  await call("GET", `/v1/evidence/${mark}`);
  await call("GET", `/v1/evidence?status=${mark}`);
  const isPacked = async () => {
    const packed = await call("GET", "/v1/evidence-packs", { key: apiKey, shows: "content" });
    return packed.status === 200;
  };
  await waitFor(isPacked, { intervalMs: 500, what: "the log to be sealed, and the pack" });
}

/** Behind the bot's name, by somebody of the workspace and by somebody who is not. */
export async function searchInline(world: SecrecyWorld, bot: Bot): Promise<void> {
  const { sandbox, mark, database } = world;
  const [ada, ola] = [await newPerson(world, bot), await newPerson(world, bot)];
  const [connector] = await database.db.query<{ workspace_id: string }>(
    "SELECT workspace_id FROM connectors WHERE id = $1",
    [bot.connectorId],
  );
  const workspaceId = connector?.workspace_id ?? "";
  const officer = await database.db.transaction((tx) =>
    createPerson(tx, { workspaceId, name: `Ola ${mark}`, agentEnabled: false }),
  );
  await database.db.query(
    "UPDATE people SET role = 'officer', telegram_user_id = $2, bound_at = now() WHERE id = $1",
    [officer.id, ola.id],
  );
  await arrived(world, bot);
  for (const { id } of [ada, ola]) {
    const asked = {
      chatId: id,
      botId: bot.id,
      viaBotId: bot.id,
      from: id,
      query: `evidence ${mark}`,
    };
    const { inlineQueryId } = sandbox.inlineQuery(asked);
    const results = await waitFor(
      () => {
        const found = sandbox.inlineResults(inlineQueryId);
        return found.isAnswered && found.results;
      },
      { what: "the answer to an inline query" },
    );
    if (id === ola.id && results.length === 0) throw new Error("nothing was found inline");
  }
}
