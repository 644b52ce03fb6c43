import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type RegisterCalls, registerCalls } from "../../test/support/register-calls.ts";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { createWorkspace } from "../connectors/index.ts";

let world: TestSystem;
let calls: RegisterCalls;
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  calls = registerCalls(world);
});
afterAll(() => world.close());

const call: RegisterCalls["call"] = (...args) => calls.call(...args);
const make: RegisterCalls["make"] = (...args) => calls.make(...args);

describe("an acceptance", () => {
  const rated = { residualLikelihood: 5, residualImpact: 4 };

  test("keeps the score as it then was; the risk's treatment is accept", async () => {
    const { id } = await make("risk", { inherentLikelihood: 5, inherentImpact: 5, ...rated });
    const path = `/v1/risks/${id}/acceptances`;
    const first = await call("POST", path, { reason: " Rare ", validUntil: "2099-12-31" });
    expect(first).toMatchObject({
      status: 201,
      body: { riskId: id, reason: "Rare", score: 20, validUntil: "2099-12-31" },
    });
    expect(first.body.acceptedBy).toMatch(/^key:[0-9a-f-]{36}$/);
    const risk = await call("GET", `/v1/risks/${id}`);
    expect(risk.body).toMatchObject({ treatment: "accept", level: "critical", version: 2 });
    await call("PATCH", `/v1/risks/${id}`, { residualImpact: 1 });
    const second = await call("POST", path, { reason: "Smaller" });
    expect(second.body).toMatchObject({ score: 5, validUntil: null });
    const page = await call("GET", `${path}?limit=1`);
    expect(page.body.data).toEqual([first.body]);
    const rest = await call("GET", `${path}?limit=1&cursor=${page.body.nextCursor}`);
    expect(rest.body).toEqual({ data: [second.body], nextCursor: null });
    const audited = await world.system.db.query(
      "SELECT details FROM audit_entries WHERE subject_id = $1 AND action = 'risk.accepted'",
      [id],
    );
    expect(audited).toContainEqual({ details: { acceptanceId: first.body.id } });
  });

  test("of a version that is past is refused: it would be of what nobody looked at", async () => {
    const { id } = await make("risk", rated);
    await call("PATCH", `/v1/risks/${id}`, { residualImpact: 5 });
    const path = `/v1/risks/${id}/acceptances`;
    expect(await call("POST", path, { reason: "Rare", version: 1 })).toMatchObject({
      status: 409,
      body: { errors: [{ path: "version" }] },
    });
    expect((await call("GET", path)).body.data).toEqual([]);
    expect((await call("GET", `/v1/risks/${id}`)).body.treatment).toBeNull();
    expect(await call("POST", path, { reason: "Rare", version: 2 })).toMatchObject({
      status: 201,
      body: { score: 25 },
    });
  });

  test.each([
    ["no reason", { reason: " " }],
    ["a day that is past", { reason: "R", validUntil: "2020-01-01" }],
  ])("%s: 400", async (_what, body) => {
    const { id } = await make("risk");
    expect((await call("POST", `/v1/risks/${id}/acceptances`, body)).status).toBe(400);
  });
});

test("scores say how the workspace stands, and nothing of another", async () => {
  const { apiKey: key } = await createWorkspace(world.system.db, "Scored");
  const options = { key };
  const empty = await call("GET", "/v1/compliance", undefined, options);
  expect(empty.body).toMatchObject({ score: null, frameworks: [], risks: { total: 0 } });
  const framework = await make("framework", { code: "F1" }, options);
  const bare = await make("framework", { code: "F2" }, options);
  const [one, two] = [
    await make("requirement", { framework: framework.id }, options),
    await make("requirement", { framework: framework.id }, options),
  ];
  const control = { status: "active", requirements: [one.id] };
  await make("control", control, options);
  await make("control", { status: "degraded", requirements: [one.id] }, options);
  await make("risk", { inherentLikelihood: 3, inherentImpact: 4 }, options);
  await make("finding", { severity: "critical" }, options);
  await make("task", {}, options);
  const score = await call("GET", `/v1/frameworks/${framework.id}/score`, undefined, options);
  expect(score.body).toEqual({ score: 37, requirements: 2, met: 0, withoutControls: 1 });
  await make("control", { status: "active", requirements: [two.id] }, options);
  const { body } = await call("GET", "/v1/compliance", undefined, options);
  expect(body).toMatchObject({
    score: 87,
    frameworks: [
      { id: framework.id, score: 87 },
      { id: bare.id, score: null },
    ],
    criticalIssues: 1,
    openTasks: 1,
    risks: { total: 1, critical: 0, high: 1, medium: 0, low: 0, unassessed: 0 },
  });
});
