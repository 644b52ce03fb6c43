import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../../test/support/conversations-world.ts";
import { dialogsWorld } from "../../../test/support/dialogs-world.ts";
import { GROUP, group } from "../../../test/support/telegram-updates.ts";
import type { Scope } from "../../conversations/index.ts";
import { findControls, findRequest } from "./find-controls.ts";

/** Evidence that the workspace asks for, and who is told of it. */
let world: World;
let people: ReturnType<typeof dialogsWorld>;
let scope: Scope;
const [OLA, OTTO, STRANGER] = [102, 103, 104];

beforeAll(async () => {
  world = await createWorld();
  people = dialogsWorld(world);
  scope = await world.newScope();
});
afterAll(() => world.drop());

test("people of the workspace see what is asked of them, strangers whom the bot hears nothing", async () => {
  const [ola, otto] = [
    await people.member(scope, OLA, "Ola"),
    await people.member(scope, OTTO, "Otto"),
  ];
  const { workspaceId } = scope;
  const [last] = await people.rows<{ id: string }>(
    `INSERT INTO controls (workspace_id, code, title) VALUES ($1, 'Z-9', 'Last'), ($1, 'A-1', 'First')
     RETURNING id`,
    workspaceId,
  );
  const request = async (description: string, of: string | null, controlId: string | null) => {
    const [row] = await people.rows<{ id: string; number: string }>(
      `INSERT INTO evidence (workspace_id, status, description, created_by, requested_of, control_id)
       VALUES ($1, 'requested', $2, 'key:any', $3, $4) RETURNING id, number`,
      workspaceId,
      description,
      of,
      controlId,
    );
    return { id: row?.id ?? "", label: `EV-${row?.number} ${description}`, number: row?.number };
  };
  const anybodys = await request("Anybody's", null, last?.id ?? null);
  const ottos = await request("Otto's", otto, null);

  const labels = async (by: number): Promise<string[]> => {
    await people.write(scope, by, "/evidence");
    return Object.keys((await people.card(scope, by)).data).filter((one) => one.startsWith("EV-"));
  };
  expect(await labels(OLA)).toEqual([anybodys.label]);
  expect(await labels(OTTO)).toEqual([ottos.label, anybodys.label]);
  expect(await labels(STRANGER)).toEqual([]);

  const found = (personId: string | null, { id }: { id: string }) =>
    findRequest(world.db, { workspaceId, personId, id });
  expect(await found(ola, anybodys)).toMatchObject({ description: "Anybody's" });
  expect([await found(ola, ottos), await found(null, anybodys), await found(null, ottos)]).toEqual([
    null,
    null,
    null,
  ]);

  const firstCode = async (personId: string | null) =>
    (await findControls(world.db, { workspaceId, personId, query: "", page: 0 })).options[0]?.code;
  expect([await firstCode(ola), await firstCode(null)]).toEqual(["Z-9", "A-1"]);

  const goOn = async (by: number, { number }: { number?: string }): Promise<string> => {
    await people.write(scope, by, `/evidence EV-${number}`);
    return (await people.said(scope, by)).at(-1) ?? "";
  };
  expect(await goOn(STRANGER, anybodys)).toContain("You have begun no such evidence");
  expect(await goOn(OLA, ottos)).toContain("You have begun no such evidence");
  expect(await goOn(OTTO, ottos)).toContain(`upload the file for evidence EV-${ottos.number}`);
  expect(await goOn(OLA, anybodys)).toContain(`upload the file for evidence EV-${anybodys.number}`);
});

test("what is asked for in words is not shown to a group, whichever way somebody goes on with it", async () => {
  const here = await world.newScope();
  const chat = group();
  const ola = await people.member(here, OLA, "Ola");
  await world.link(here, GROUP);
  await world.db.query("UPDATE chats SET purpose = 'compliance' WHERE chat_id = $1", [GROUP]);
  const [row] = await people.rows<{ number: string }>(
    `INSERT INTO evidence (workspace_id, status, description, created_by, requested_of)
     VALUES ($1, 'requested', 'Why Bob was dismissed', 'key:any', $2) RETURNING number`,
    here.workspaceId,
    ola,
  );
  const goOn = (where?: typeof chat) =>
    people.write(here, OLA, `/evidence EV-${row?.number}`, { chat: where });
  await people.write(here, OLA, "/evidence", { chat });
  const asked = await people.card(here, GROUP);
  await people.press(here, OLA, asked.data[`EV-${row?.number}`], { chat });
  await goOn(chat);
  await people.photo(here, OLA, { chat });
  await goOn(chat);
  const said = await people.said(here, GROUP);
  expect(said.filter((text) => text.includes("Please upload the file"))).toHaveLength(2);
  expect(said.filter((text) => text.includes("Submit it for review"))).toHaveLength(1);
  expect(said.filter((text) => text.includes("Bob"))).toEqual([]);
  await goOn();
  expect((await people.card(here, OLA)).text).toContain("Why Bob was dismissed");
});
