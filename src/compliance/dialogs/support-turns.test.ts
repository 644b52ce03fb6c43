import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../../test/support/conversations-world.ts";
import { dialogsWorld } from "../../../test/support/dialogs-world.ts";
import { supportDesk } from "../../../test/support/support-desk.ts";
import type { Wire } from "../../../test/support/telegram-updates.ts";
import { submitMany } from "../../../test/support/waiting-evidence.ts";
import type { Scope } from "../../conversations/index.ts";

/** What a dialog takes is no question to the team; what it leaves is. */
let world: World;
let people: ReturnType<typeof dialogsWorld>;
let scope: Scope;
let desk: ReturnType<typeof supportDesk>;
const [EMMA, OLA] = [101, 102];

beforeAll(async () => {
  world = await createWorld();
  people = dialogsWorld(world);
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
  desk = supportDesk(world, scope);
});

const voice = (): Wire => ({
  voice: { file_id: "v", file_unique_id: "v", duration: 1, file_size: 9 },
});
const close = () => desk.change({ status: "closed" });

test("files and words of a dialog open nothing, and stay in the conversation", async () => {
  await people.write(scope, EMMA, "/evidence document Report");
  await people.photo(scope, EMMA);
  await people.write(scope, EMMA, "CC6");
  const idle = await desk.conversation();
  expect(idle).toMatchObject({ status: "waiting", reopens: 0 });
  expect(idle).not.toHaveProperty("openedAt");
  expect(idle).not.toHaveProperty("waitingSince");
  expect(await desk.events()).toEqual([]);
  expect((await world.messages(scope)).flat()).toHaveLength(3);

  const card = await people.card(scope, EMMA);
  await people.press(scope, EMMA, card.data.Skip);
  await people.write(scope, EMMA, "is anybody there?");
  const asked = await desk.conversation();
  expect(asked).toMatchObject({ status: "open", reopens: 0 });
  expect(asked.waitingSince).toBe(asked.openedAt);
  await close();
  await people.photo(scope, EMMA);
  expect(await desk.conversation()).toMatchObject({ status: "closed", reopens: 0 });
});

test("places, of those that move too, and links are evidence, and no question", async () => {
  await people.allow(scope, "location", "link");
  const location = { latitude: 1, longitude: 2 };
  await people.write(scope, EMMA, "/evidence document Report");
  await people.press(scope, EMMA, (await people.card(scope, EMMA)).data["Upload document"]);
  await people.write(scope, EMMA, "https://example.com/report");
  await people.sent(scope, EMMA, { location });
  await people.sent(scope, EMMA, { location: { ...location, live_period: 900 } });
  const files = "SELECT kind FROM evidence_files WHERE workspace_id = $1";
  expect(await people.rows(files, scope.workspaceId)).toHaveLength(3);
  expect(await desk.conversation()).not.toHaveProperty("openedAt");
  expect(await desk.events()).toEqual([]);

  await people.allow(scope);
  await people.sent(scope, EMMA, { location });
  expect(await desk.conversation()).toMatchObject({ status: "open" });
});

test("a link that is refused is the customer's word", async () => {
  await people.allow(scope, "link");
  await people.write(scope, EMMA, "/evidence document Report");
  await people.press(scope, EMMA, (await people.card(scope, EMMA)).data["Upload document"]);
  await people.write(scope, EMMA, "ftp://example.com/report");
  expect((await people.said(scope, EMMA)).at(-1)).toMatch(/^Nothing was taken/);
  expect(await desk.conversation()).toMatchObject({ status: "open" });
});

test("what no dialog takes is the customer's word, once", async () => {
  await people.sent(scope, EMMA, voice());
  expect(await desk.conversation()).toMatchObject({ status: "open" });
  await close();
  // Whoever may hand in nothing here sends it to the team.
  await world.db.query("UPDATE connectors SET register_access = 'members' WHERE id = $1", [
    scope.connectorId,
  ]);
  await people.photo(scope, EMMA, { crashes: true });
  expect(await desk.conversation()).toMatchObject({ status: "open", reopens: 1 });
  await close();
  await people.photo(scope, EMMA, { album: "a" });
  expect(await desk.conversation()).toMatchObject({ status: "open", reopens: 2 });
  expect(await desk.told()).toEqual([
    "status: waiting → open (customer)",
    "status: open → closed (api_key)",
    "status: closed → open (customer)",
    "status: open → closed (api_key)",
    "status: closed → open (customer)",
  ]);
});

test("why an officer rejects is for its sender", async () => {
  await submitMany(world.db, scope.workspaceId, { count: 1 });
  await people.member(scope, OLA, "Ola", "officer");
  await close();
  await people.keeper.runOnce();
  await people.press(scope, OLA, (await people.card(scope, OLA)).data.Reject);
  await people.write(scope, OLA, "The date is missing");
  expect((await people.card(scope, OLA)).text).toContain("Rejected by Ola: The date is missing");
  expect(await desk.conversation()).toMatchObject({ status: "closed", reopens: 0 });
  await people.write(scope, OLA, "thanks");
  expect(await desk.conversation()).toMatchObject({ status: "open", reopens: 1 });
});
