import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { createLinkCode, linkCodeHash } from "./link-codes.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.drop());

describe("a code that links a group", () => {
  test("may be typed whichever way", () => {
    const hash = linkCodeHash("01AB-CDEF-GH1K");
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    for (const typed of ["01abcdefgh1k", "O1AB-CDEF-GHIK", "oLab-cdef-ghlk", "01AB-CDEFGH1K"]) {
      expect(linkCodeHash(typed)).toBe(hash);
    }
    expect(linkCodeHash("01AB-CDEF-GH1M")).not.toBe(hash);
  });

  test.each([
    "",
    "-",
    "01AB-CDEF",
    "01AB-CDEF-GH1KX",
    "01AB-CDEF-GH1U",
    "01AB CDEF GH1K",
    "é".repeat(12),
  ])("is not %j", (typed) => {
    expect(linkCodeHash(typed)).toBeNull();
  });

  test("is kept as a hash; those long expired go when another is made", async () => {
    const { workspaceId, connectorId } = await world.newScope();
    const wanted = { workspaceId, connectorId, purpose: null, expiresInMinutes: 30 };
    const { code } = await createLinkCode(world.db, wanted);
    expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}$/);
    const codes = () =>
      world.db.query<{ hash: string }>(
        "SELECT encode(code_hash, 'hex') AS hash FROM chat_link_codes WHERE workspace_id = $1",
        [workspaceId],
      );
    expect(await codes()).toEqual([{ hash: linkCodeHash(code) }]);
    await world.db.query(
      "UPDATE chat_link_codes SET expires_at = now() - interval '25 h' WHERE workspace_id = $1",
      [workspaceId],
    );
    const next = await createLinkCode(world.db, wanted);
    expect(await codes()).toEqual([{ hash: linkCodeHash(next.code) }]);
  });

  test("is of a connector of its own workspace", async () => {
    const ours = await world.newScope();
    const theirs = await world.newScope();
    const forged = { workspaceId: ours.workspaceId, connectorId: theirs.connectorId };
    const made = createLinkCode(world.db, { ...forged, purpose: null, expiresInMinutes: 30 });
    await expect(made).rejects.toMatchObject({ code: "23503" });
    const nowhere = { workspaceId: ours.workspaceId, connectorId: randomUUID() };
    const nothing = createLinkCode(world.db, { ...nowhere, purpose: null, expiresInMinutes: 30 });
    await expect(nothing).rejects.toMatchObject({ code: "23503" });
  });
});
