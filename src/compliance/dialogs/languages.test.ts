import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../../test/support/conversations-world.ts";
import { dialogsWorld } from "../../../test/support/dialogs-world.ts";
import { GROUP, group } from "../../../test/support/telegram-updates.ts";
import { submitMany } from "../../../test/support/waiting-evidence.ts";
import type { Scope } from "../../conversations/index.ts";

/** Everybody is spoken to in their own language, whoever else has to do with it. */
let world: World;
let people: ReturnType<typeof dialogsWorld>;
let scope: Scope;
const [DORA, EMMA, OLA, OTTO] = [201, 202, 203, 204];
const DAY_MS = 86_400_000;

beforeAll(async () => {
  world = await createWorld();
  people = dialogsWorld(world);
  people.speaks(DORA, "de-AT");
  people.speaks(EMMA, "fr");
  people.speaks(OLA, "de");
});
afterAll(() => world.drop());
beforeEach(async () => {
  scope = await world.newScope();
});

const card = (by: number) => people.card(scope, by);
const linkGroup = async () => {
  await world.link(scope, GROUP);
  await world.db.query("UPDATE chats SET purpose = 'compliance' WHERE connector_id = $1", [
    scope.connectorId,
  ]);
};
const press = async (by: number, label: string) =>
  people.press(scope, by, (await card(by)).data[label]);
const lastSaid = async (to: number) => (await people.said(scope, to)).at(-1);

/** Handed in by whoever speaks German. */
async function submitted(): Promise<void> {
  await people.photo(scope, DORA, { caption: "Formular" });
  await press(DORA, "Überspringen");
  expect(await press(DORA, "Zur Prüfung einreichen")).toEqual(["Zur Prüfung eingereicht."]);
  await people.fetchAll(scope);
  await people.keeper.runOnce();
}

test("whoever speaks German hands in in German, from usage to the end; everybody else in English", async () => {
  await people.write(scope, DORA, "/evidence");
  const begun = await card(DORA);
  expect(begun.text).toMatch(/^Aufruf: \/evidence \[Art\] \[Beschreibung\]\nBeispiel: /);
  expect(Object.keys(begun.data)).toEqual(["Dokument hochladen", "Foto hochladen", "Abbrechen"]);
  await press(DORA, "Foto hochladen");
  expect((await card(DORA)).text).toMatch(
    /^Bitte laden Sie die Datei für den Nachweis EV-\d+ hoch/,
  );
  expect(await people.press(scope, DORA, begun.data.Abbrechen)).toEqual([
    "Diese Karte hat sich inzwischen geändert. Nutzen Sie die Schaltflächen, die sie jetzt zeigt.",
  ]);
  await submitted();
  expect((await card(DORA)).text).toMatch(
    /^EV-\d+ wurde zur Prüfung eingereicht\.\nBeschreibung: Formular\nMaßnahme: keine$/,
  );
  await people.sent(scope, DORA, { voice: { file_id: "f", file_unique_id: "u", duration: 1 } });
  expect(await lastSaid(DORA)).toContain("Sprachnachrichten werden hier nicht als Nachweis");
  await people.write(scope, EMMA, "/evidence");
  expect((await card(EMMA)).text).toMatch(/^Usage: /);
});

test("reminded and expired hours later, in the language in which it began", async () => {
  await people.write(scope, DORA, "/evidence Dokument Bericht");
  people.pass(DAY_MS - 3_600_000);
  await people.keeper.runOnce();
  expect(await lastSaid(DORA)).toMatch(/^EV-\d+ wartet noch auf Ihren nächsten Schritt\./);
  people.pass(DAY_MS);
  await people.keeper.runOnce();
  expect((await card(DORA)).text).toMatch(
    /^Abgelaufen: .* EV-\d+ bleibt, wie er ist; mit \/evidence/,
  );
});

test("each who reviews is asked in their language, and the sender hears of it in theirs", async () => {
  await people.member(scope, OLA, "Ola", "officer");
  await people.member(scope, OTTO, "Otto", "officer");
  await submitted();
  expect((await card(OLA)).text).toMatch(/^Prüfung von EV-\d+, Revision 1\nArt: Foto\n/);
  expect((await card(OTTO)).text).toMatch(/^Review of EV-\d+, revision 1\nType: photo\n/);
  await press(OTTO, "Reject");
  await people.write(scope, OTTO, "The date is missing");
  await people.keeper.runOnce();
  expect((await card(OTTO)).text).toMatch(/\nRejected by Otto: The date is missing$/);
  expect((await card(OLA)).text).toMatch(/\nAbgelehnt von Otto: The date is missing$/);
  expect((await card(DORA)).text).toMatch(
    /^EV-\d+ wurde von Otto abgelehnt: The date is missing\nBitte laden Sie die Datei/,
  );
  await people.photo(scope, DORA);
  await press(DORA, "Überspringen");
  await press(DORA, "Zur Prüfung einreichen");
  await people.fetchAll(scope);
  await people.keeper.runOnce();
  expect(await press(OLA, "Genehmigen")).toEqual(["Genehmigt."]);
  await people.keeper.runOnce();
  expect(await lastSaid(DORA)).toMatch(/^EV-\d+ wurde von Ola genehmigt\.$/);
});

test("in a group a card speaks as who began it, a pressed button as who pressed it", async () => {
  await linkGroup();
  await people.photo(scope, DORA, { chat: group(), caption: "Formular" });
  const begun = await people.card(scope, GROUP);
  expect(begun.text).toContain("schreiben Sie als Antwort auf diese Nachricht");
  const skip = begun.data.Überspringen;
  expect(await people.press(scope, EMMA, skip, { chat: group() })).toEqual([
    "Only who began this may press its buttons.",
  ]);
  await people.press(scope, DORA, skip, { chat: group() });
  const { data } = await people.card(scope, GROUP);
  await people.press(scope, DORA, data["Zur Prüfung einreichen"], { chat: group() });
  await people.keeper.runOnce();
  // Nobody there was asked in particular: as who handed it in.
  const asked = await people.card(scope, GROUP);
  expect(asked.text).toMatch(/^Prüfung von EV-/);
  expect(await people.press(scope, EMMA, asked.data.Genehmigen, { chat: group() })).toEqual([
    "Only who reviews evidence can decide this.",
  ]);
});

test("what waits is given to each in their language: to a group by codes, and on the last card how much more", async () => {
  await people.member(scope, OLA, "Ola", "officer");
  await linkGroup();
  await world.db.query(
    "INSERT INTO controls (workspace_id, code, title) VALUES ($1, 'M-1', 'Zutritt')",
    [scope.workspaceId],
  );
  await people.photo(scope, DORA, { caption: "Formular" });
  await press(DORA, "M-1 Zutritt");
  await press(DORA, "Zur Prüfung einreichen");
  await people.keeper.runOnce();
  expect((await card(OLA)).text).toContain("\nMaßnahme: M-1 Zutritt\n");
  expect((await card(GROUP)).text).toContain("\nMaßnahme: M-1\n");
  await submitMany(world.db, scope.workspaceId, { count: 12 });
  await people.keeper.runOnce();
  expect(await lastSaid(OLA)).toMatch(
    /^Prüfung von EV-.*\n\n3 weitere Nachweise warten auf ihre Prüfung\.$/s,
  );
  // A key handed these in.
  expect(await lastSaid(GROUP)).toMatch(/^Review of EV-.*\n\n3 more wait for their review\.$/s);
});

test("a risk is assessed in German", async () => {
  await people.member(scope, OLA, "Ola", "officer");
  await world.db.query(
    "INSERT INTO risks (workspace_id, code, title) VALUES ($1, 'R-1', 'Datenverlust')",
    [scope.workspaceId],
  );
  await people.write(scope, OLA, "/risk assess R-1");
  for (const label of ["4", "5", "Nein", "Mindern"]) await press(OLA, label);
  expect((await card(OLA)).text).toBe(
    "Risikobewertung: R-1 Datenverlust\nInhärentes Risiko: 4 × 5 = 20\nBehandlung: Mindern\n\nDiese Bewertung speichern?",
  );
  expect(await press(OLA, "Speichern")).toEqual(["Gespeichert."]);
  await people.write(scope, DORA, "/risk assess R-1");
  expect(await lastSaid(DORA)).toBe("Nur Compliance-Beauftragte bewerten Risiken.");
});
