import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../../test/support/conversations-world.ts";
import { dialogsWorld } from "../../../test/support/dialogs-world.ts";
import { GROUP, group, message, user } from "../../../test/support/telegram-updates.ts";
import type { Scope } from "../../conversations/index.ts";
import { TEXTS_EN } from "./texts-en.ts";

/** What brings no file, and is evidence where a workspace says so. */

let world: World;
let people: ReturnType<typeof dialogsWorld>;
let scope: Scope;
const EMMA = 101;
const LOCATION = { latitude: 52.5, longitude: 13.25, horizontal_accuracy: 12.5 };
const LINK = "https://example.com/report";

beforeAll(async () => {
  world = await createWorld();
  people = dialogsWorld(world);
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
});

const files = () =>
  people.rows<{ kind: string; name: string; state: string; written: string }>(
    `SELECT kind, name, state, written FROM evidence_files WHERE workspace_id = $1
     ORDER BY message_id`,
    scope.workspaceId,
  );
const downloads = async () =>
  (
    await people.rows(
      "SELECT 1 AS one FROM jobs WHERE workspace_id = $1 AND queue = 'evidence'",
      scope.workspaceId,
    )
  ).length;
const last = async (chatId = EMMA) => (await people.said(scope, chatId)).at(-1);
const card = () => people.card(scope, EMMA);
const press = async (label: string) => people.press(scope, EMMA, (await card()).data[label]);
const descriptions = async () =>
  (
    await people.rows<{ description: string }>(
      "SELECT description FROM evidence WHERE workspace_id = $1 ORDER BY number",
      scope.workspaceId,
    )
  ).map(({ description }) => description);
/** A card that asks for the file. */
async function awaiting(): Promise<void> {
  await people.write(scope, EMMA, "/evidence document Report");
  await press("Upload document");
  expect((await card()).state).toBe("awaiting-file");
}

describe("a place", () => {
  test("begins evidence, joins it, and has all that its message said", async () => {
    await people.allow(scope, "location");
    await people.sent(scope, EMMA, { message_id: 71, date: 1_790_000_000, location: LOCATION });
    expect(await card()).toMatchObject({ state: "choosing-control" });
    const venue = { location: LOCATION, title: "Depot", address: "Quay 1\u202E" };
    await people.sent(scope, EMMA, { message_id: 72, location: LOCATION, venue });
    const [first, second] = await files();
    expect(first).toMatchObject({ kind: "location", name: "location_71.geojson", state: "queued" });
    expect(JSON.parse(first?.written ?? "")).toEqual({
      type: "Feature",
      geometry: { type: "Point", coordinates: [13.25, 52.5] },
      properties: {
        kind: "location",
        latitude: 52.5,
        longitude: 13.25,
        accuracyMeters: 12.5,
        sentAt: "2026-09-21T14:13:20.000Z",
      },
    });
    expect(second).toMatchObject({ kind: "venue", name: "venue_72.geojson" });
    expect(JSON.parse(second?.written ?? "").properties).toMatchObject({
      title: "Depot",
      address: "Quay 1\u202E",
    });
    expect([await descriptions(), await downloads()]).toEqual([[""], 2]);
  });

  test("that moves is where it was when it was sent, and its sender is told so", async () => {
    await people.allow(scope, "location");
    const sent = { message_id: 71, location: { ...LOCATION, live_period: 900 } };
    await people.sent(scope, EMMA, sent);
    expect(await last()).toBe(TEXTS_EN.places.live);
    const [before] = await files();
    const moved = { ...LOCATION, latitude: 52.6, live_period: 900 };
    const edit = message(71, "", {
      from: user(EMMA),
      text: undefined,
      location: moved,
      edit_date: 1_790_000_060,
    });
    await world.ingest(scope, { edited_message: edit });
    await people.write(scope, EMMA, "some words");
    expect(await files()).toEqual([before]);
    expect(JSON.parse(before?.written ?? "").properties).toMatchObject({
      latitude: 52.5,
      live: { seconds: 900 },
    });
  });

  test("that is none, or is not asked for, is not taken, and that is told", async () => {
    await people.sent(scope, EMMA, { location: LOCATION });
    expect(await last()).toContain("places are not taken as evidence here");
    await people.allow(scope, "voice", "link");
    await people.sent(scope, EMMA, { location: LOCATION, venue: { location: LOCATION } });
    expect(await last()).toContain("places are not taken as evidence here");
    await people.allow(scope, "location");
    for (const location of [
      { latitude: 91, longitude: 2 },
      { latitude: "1", longitude: 2 },
    ]) {
      await people.sent(scope, EMMA, { location });
      expect(await last()).toBe(TEXTS_EN.places.none);
    }
    await world.db.query("UPDATE chats SET purpose = 'support' WHERE connector_id = $1", [
      scope.connectorId,
    ]);
    await people.sent(scope, EMMA, { location: LOCATION });
    expect(await last()).toContain("Our team will answer here");
    expect([await files(), await descriptions()]).toEqual([[], []]);
  });

  test("is taken once, whoever dies over it, however often it comes", async () => {
    await people.allow(scope, "location");
    const sent = { message_id: 71, location: LOCATION };
    await people.sent(scope, EMMA, sent, { crashes: true });
    await people.sent(scope, EMMA, sent);
    expect([(await files()).length, await downloads()]).toEqual([1, 1]);
  });
});

describe("a link", () => {
  test("is what a card gets that asks for a file; all links of a message are one file", async () => {
    await people.allow(scope, "link");
    await awaiting();
    await people.write(scope, EMMA, "what it is about");
    await people.write(scope, EMMA, `${LINK}\nhttps://b.example`, { crashes: true });
    expect(await card()).toMatchObject({ state: "choosing-control" });
    expect(await files()).toEqual([
      {
        kind: "link",
        name: expect.stringMatching(/^link_\d+\.txt$/),
        state: "queued",
        written: `${LINK}\r\nhttps://b.example/\r\n`,
      },
    ]);
    expect([await descriptions(), await downloads()]).toEqual([["what it is about"], 1]);
  });

  test("that lies behind words is where it leads", async () => {
    await people.allow(scope, "link");
    await awaiting();
    const entities = [{ type: "text_link", offset: 0, length: 6, url: LINK }];
    await people.sent(scope, EMMA, { text: "Report", entities });
    expect(await files()).toMatchObject([{ kind: "link", written: `${LINK}\r\n` }]);
  });

  test("in any other place is words: it looks for a control, or is for support", async () => {
    await people.allow(scope, "link");
    await people.write(scope, EMMA, LINK);
    await people.write(scope, EMMA, "/evidence document Report");
    await people.write(scope, EMMA, LINK);
    expect(await card()).toMatchObject({ state: "ready" });
    await people.photo(scope, EMMA);
    await people.write(scope, EMMA, LINK);
    expect((await card()).text).toContain(`Searched for: ${LINK}`);
    await press("Skip");
    await people.write(scope, EMMA, LINK);
    expect(await card()).toMatchObject({ state: "confirming" });
    expect((await files()).map(({ kind }) => kind)).toEqual(["photo"]);
  });

  test("with words, or where links are not taken, is a description", async () => {
    await awaiting();
    await people.write(scope, EMMA, LINK);
    expect([await descriptions(), await files()]).toEqual([[LINK], []]);
    await people.allow(scope, "location", "link");
    await people.write(scope, EMMA, `signed, see ${LINK}`);
    expect([await descriptions(), await files()]).toEqual([[`signed, see ${LINK}`], []]);
  });

  test.each([
    ["scheme", "javascript:alert(1)"],
    ["scheme", "file:///etc/passwd"],
    ["scheme", "tg://resolve?domain=a"],
    ["credentials", "https://ada:secret@example.com/"],
    ["unseen", "https://example.com/\u202Efdp.exe"],
    ["unseen", "https://example.com/\0"],
    ["malformed", "https://[::1/"],
    ["too-long", `https://example.com/${"a".repeat(4_000)}`],
    ["too-many", `${LINK} `.repeat(11)],
    ["scheme", `${LINK} javascript:alert(1)`],
  ] as const)("that is not taken is told of, and changes nothing: %s", async (fault, text) => {
    await people.allow(scope, "link");
    await awaiting();
    const before = await card();
    await people.write(scope, EMMA, text);
    expect(await last()).toBe(TEXTS_EN.linksRefused[fault]);
    expect([await card(), await files(), await descriptions()]).toEqual([before, [], ["Report"]]);
  });

  test("in a group replies to the card that asks for it", async () => {
    await people.allow(scope, "link");
    await world.link(scope, GROUP);
    await world.db.query("UPDATE chats SET purpose = 'compliance' WHERE connector_id = $1", [
      scope.connectorId,
    ]);
    const chat = group();
    await people.member(scope, EMMA, "Emma");
    await people.write(scope, EMMA, "/evidence document Report", { chat });
    const shown = await people.card(scope, GROUP);
    await people.press(scope, EMMA, shown.data["Upload document"], { chat });
    await world.db.query(
      "UPDATE outbound_messages SET telegram_message_ids = '{900}' WHERE id = $1",
      [shown.cardId],
    );
    await people.write(scope, EMMA, LINK, { chat });
    expect(await files()).toEqual([]);
    const replied = { message_id: 900, date: 1, chat };
    await people.write(scope, EMMA, LINK, { chat, reply_to_message: replied });
    expect(await files()).toMatchObject([{ kind: "link", written: `${LINK}\r\n` }]);
    expect(await people.card(scope, GROUP)).toMatchObject({ state: "choosing-control" });
  });

  test("is not taken in a chat that is for support by now, nor kept as words", async () => {
    await people.allow(scope, "link");
    await awaiting();
    await world.db.query("UPDATE chats SET purpose = 'support' WHERE connector_id = $1", [
      scope.connectorId,
    ]);
    await people.write(scope, EMMA, LINK);
    expect([await files(), await descriptions()]).toEqual([[], ["Report"]]);
  });
});
