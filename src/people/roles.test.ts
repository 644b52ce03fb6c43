import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { accessWorld } from "../../test/support/access-world.ts";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { message } from "../../test/support/telegram-updates.ts";
import type { Scope } from "../conversations/effects.ts";
import { listSessions } from "../conversations/index.ts";
import type { Transaction } from "../platform/index.ts";
import {
  changePerson,
  createLinkCode,
  createPerson,
  createPersonLink,
  getPerson,
  listNamed,
  listPeople,
  namePerson,
  removePerson,
  unnamePerson,
} from "./index.ts";

/** What a workspace does about its people, with the rights of its role and no others. */

let world: World;
let scope: Scope;
let stranger: Scope;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());
beforeEach(async () => {
  [scope, stranger] = [await world.newScope(), await world.newScope()];
});

const asTenant = <Result>(
  { workspaceId }: Scope,
  work: (tx: Transaction) => Promise<Result>,
): Promise<Result> => world.db.asTenant(workspaceId).transaction(work);

describe("a workspace", () => {
  test("looks after its people, links and codes, and reads its sessions", async () => {
    const { workspaceId, connectorId } = scope;
    await world.ingest(scope, { message: message(1, "hi") });
    await asTenant(scope, async (tx) => {
      const { id } = await createPerson(tx, { workspaceId, name: "Ada", agentEnabled: true });
      const key = { workspaceId, id };
      expect(await changePerson(tx, key, { name: "Ada L." })).toMatchObject({ name: "Ada L." });
      expect(await listPeople(tx, workspaceId, { limit: 5 })).toMatchObject([{ id }]);
      const naming = { workspaceId, connectorId, personId: id };
      expect(await namePerson(tx, naming)).toBe(true);
      expect(await listNamed(tx, naming, { limit: 5 })).toMatchObject([{ id }]);
      expect(await unnamePerson(tx, naming)).toBe(true);
      const link = { ...naming, expiresInHours: 1 };
      expect(await createPersonLink(tx, link)).toMatchObject({ token: expect.any(String) });
      expect(await createPersonLink(tx, link)).toMatchObject({ token: expect.any(String) });
      const code = { workspaceId, connectorId, purpose: null, expiresInMinutes: 5 };
      expect(await createLinkCode(tx, code)).toMatchObject({ code: expect.any(String) });
      const [conversation] = await tx.query<{ id: string }>("SELECT id FROM conversations");
      const conversationId = conversation?.id ?? "";
      expect((await listSessions(tx, { workspaceId, conversationId }))?.data).toHaveLength(1);
      expect(await removePerson(tx, key)).toBe(true);
    });
  });

  test("sees none of another's, though it asks by id and by name", async () => {
    const { workspaceId, connectorId } = scope;
    const id = await accessWorld(world).person(scope, { userId: 5, named: true });
    const key = { workspaceId, id };
    await asTenant(stranger, async (tx) => {
      expect(await getPerson(tx, key)).toBeNull();
      expect(await listPeople(tx, workspaceId, { limit: 5 })).toEqual([]);
      expect(await changePerson(tx, key, { name: "mine" })).toBeNull();
      expect(await removePerson(tx, key)).toBe(false);
      const naming = { workspaceId, connectorId, personId: id };
      expect(await listNamed(tx, naming, { limit: 5 })).toEqual([]);
      expect(await unnamePerson(tx, naming)).toBe(false);
      expect(await createPersonLink(tx, { ...naming, expiresInHours: 1 })).toBeNull();
    });
    const forged = asTenant(stranger, (tx) =>
      createPerson(tx, { workspaceId, name: "planted", agentEnabled: true }),
    );
    await expect(forged).rejects.toMatchObject({ code: "42501" });
  });
});
