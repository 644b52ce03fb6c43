import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createWorkspace } from "../connectors/index.ts";

let world: TestSystem;
let stranger = "";
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  ({ apiKey: stranger } = await createWorkspace(world.system.db, "Stranger"));
});
afterAll(() => world.close());

const get = (path: string, key = world.apiKey) =>
  fetch(world.url + path, { headers: { authorization: `Bearer ${key}` } });

test("whoever asks for many packs while their log is held takes no connection from others", async () => {
  await world.api("POST", "/v1/evidence", { description: "The form" });
  expect((await get("/v1/evidence-packs")).status).toBe(200);
  let refused = 0;
  const packs = await world.owner.transaction(async (tx) => {
    const { workspaceId } = world;
    await tx.query("SELECT FROM audit_heads WHERE workspace_id = $1 FOR UPDATE", [workspaceId]);
    const asked = Array.from({ length: 40 }, async () => {
      const answer = await get("/v1/evidence-packs");
      if (answer.status === 503) refused++;
      return answer;
    });
    await waitFor(() => refused === 38, { what: "all but two to be refused" });
    expect((await get("/v1/evidence", stranger)).status).toBe(200);
    return asked;
  });
  const answers = await Promise.all(packs);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(2);
  for (const { status, headers } of answers) {
    if (status !== 200) expect([status, headers.get("retry-after")]).toEqual([503, "5"]);
  }
  expect((await get("/v1/evidence-packs")).status).toBe(200);
});
