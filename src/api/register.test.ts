import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  type Answer,
  pathOf,
  type RegisterCalls,
  registerCalls,
} from "../../test/support/register-calls.ts";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { createWorkspace, type NewWorkspace } from "../connectors/index.ts";
import { type Field, KINDS, type KindName } from "../register/index.ts";

let world: TestSystem;
let calls: RegisterCalls;
let stranger: NewWorkspace;
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  calls = registerCalls(world);
  stranger = await createWorkspace(world.system.db, "Stranger");
});
afterAll(() => world.close());

const call: RegisterCalls["call"] = (...args) => calls.call(...args);
const make: RegisterCalls["make"] = (...args) => calls.make(...args);

const makePerson = async (key?: string) =>
  (await call("POST", "/v1/people", { name: "Ada" }, { key })).body.id;

/** A value for the field, and what it is when it is emptied; undefined: it cannot be. */
async function sampleOf(field: Field): Promise<{ value: unknown; empty?: unknown }> {
  switch (field.type) {
    case "text":
      return { value: "quality" };
    case "choice":
      return { value: field.values.at(-1), ...(field.default ? {} : { empty: null }) };
    case "scale":
      return { value: 4, empty: null };
    case "date":
      return { value: "2026-12-31", empty: null };
    case "person":
      return { value: await makePerson(), empty: null };
    case "entry":
      return { value: (await make(field.of)).id, ...(field.isRequired ? {} : { empty: null }) };
    case "entries":
      return { value: [(await make(field.of)).id], empty: [] };
  }
}

const audited = async (id: string) =>
  (
    await world.system.db.query<{ action: string; details: object }>(
      "SELECT action, details FROM audit_entries WHERE subject_id = $1 ORDER BY id",
      [id],
    )
  ).map(({ action, details }) => ({ action, ...details }));

describe("each kind", () => {
  test.each(KINDS.map((kind) => [kind.name, kind] as const))(
    "%s: is added, read, changed, emptied and removed, each with its entry",
    async (name, kind) => {
      const values: Record<string, unknown> = { description: "What it is for" };
      const emptied: Record<string, unknown> = {};
      for (const field of kind.fields) {
        const { value, empty } = await sampleOf(field);
        values[field.name] = value;
        if (empty !== undefined && !field.isRequired) emptied[field.name] = empty;
      }
      const path = pathOf(name);
      const body = { code: ` ${name}.1 `, title: "T", ...values };
      const added = await call("POST", path, body);
      expect(added).toMatchObject({
        status: 201,
        body: { ...values, code: `${name}.1`, title: "T", version: 1 },
      });
      const one = `${path}/${added.body.id}`;
      expect(await call("GET", one)).toEqual({ ...added, status: 200 });
      expect((await call("GET", `${path}?code=${name}.1`)).body.data).toEqual([added.body]);
      const changed = await call("PATCH", one, { title: "U", ...emptied, version: 1 });
      expect(changed).toMatchObject({
        status: 200,
        body: { ...values, ...emptied, title: "U", version: 2 },
      });
      expect(await call("GET", one)).toEqual(changed);
      expect(await call("DELETE", one)).toEqual({ status: 200, body: { removed: true } });
      for (const method of ["GET", "DELETE"]) expect((await call(method, one)).status).toBe(404);
      expect((await call("PATCH", one, { title: "V" })).status).toBe(404);
      expect(await audited(added.body.id)).toEqual([
        { action: "entry.created", kind: name },
        { action: "entry.updated", kind: name, fields: ["title", ...Object.keys(emptied)] },
        { action: "entry.removed", kind: name },
      ]);
    },
  );

  test("has the defaults that its columns have", async () => {
    for (const { table, fields } of KINDS) {
      for (const field of fields) {
        if (!("default" in field)) continue;
        const [column] = await world.owner.query<{ preset: string }>(
          `SELECT column_default AS preset FROM information_schema.columns
           WHERE table_name = $1 AND column_name = $2`,
          [table, field.column],
        );
        expect([table, field.name, column?.preset]).toEqual([
          table,
          field.name,
          `'${field.default}'::text`,
        ]);
      }
    }
  });
});

describe("a code", () => {
  test("is its own in the workspace, a requirement's in its framework", async () => {
    const { code } = await make("control");
    const taken = await call("POST", "/v1/controls", { code, title: "Again" });
    expect(taken).toMatchObject({ status: 409, body: { errors: [{ path: "code" }] } });
    const theirs = await call(
      "POST",
      "/v1/controls",
      { code, title: "T" },
      { key: stranger.apiKey },
    );
    expect(theirs.status).toBe(201);
    const [one, other] = [await make("framework"), await make("framework")];
    const first = await make("requirement", { code: "A.1", framework: one.id });
    await make("requirement", { code: "A.1", framework: other.id });
    const twice = { code: "A.1", title: "T", framework: one.id };
    expect((await call("POST", "/v1/requirements", twice)).status).toBe(409);
    const move = { framework: other.id };
    expect((await call("PATCH", `/v1/requirements/${first.id}`, move)).status).toBe(409);
  });
});

const MANY = Array.from({ length: 201 }, () => randomUUID());

describe("what is refused", () => {
  test.each<[string, KindName, object, number, string]>([
    ["no title", "control", { title: undefined }, 400, "title"],
    ["a title of two lines", "control", { title: "a\nb" }, 400, "title"],
    ["a code that cannot be seen", "control", { code: "a\u202Eb" }, 400, "code"],
    ["a code of 61", "control", { code: "x".repeat(61) }, 400, "code"],
    ["NUL", "control", { description: "a\0" }, 400, "description"],
    ["half a character", "control", { title: "\ud800" }, 400, "title"],
    ["a status that is none", "control", { status: "done" }, 400, "status"],
    ["no status at all", "control", { status: null }, 400, "status"],
    ["a day that is none", "control", { dueOn: "2026-02-30" }, 400, "dueOn"],
    ["an owner by name", "control", { owner: "Ada" }, 400, "owner"],
    ["too many links", "control", { requirements: MANY }, 400, "requirements"],
    ["a likelihood of six", "risk", { inherentLikelihood: 6 }, 400, "inherentLikelihood"],
    ["a finding without a severity", "finding", {}, 400, "severity"],
    ["a field that is not its own", "policy", { dueOn: "2026-01-01" }, 400, ""],
    ["a version to begin with", "policy", { version: 3 }, 400, ""],
    ["what is worked out", "risk", { score: 1 }, 400, ""],
    ["likelihood without impact", "risk", { residualLikelihood: 2 }, 422, "residualImpact"],
    ["an end first", "audit", { startsOn: "2026-02-01", endsOn: "2026-01-01" }, 422, "endsOn"],
    ["an owner who is nobody", "control", { owner: randomUUID() }, 422, "owner"],
  ])("%s", async (_what, name, more, status, path) => {
    const answer = await call("POST", pathOf(name), { code: "x", title: "T", ...more });
    expect(answer.status).toBe(status);
    expect(answer.body.errors).toMatchObject([{ path }]);
  });

  test("a code where an id is wanted, in words that say so", async () => {
    const said = { code: "Art32", title: "Security of processing", framework: "GDPR" };
    const { body } = await call("POST", "/v1/requirements", said);
    expect(body.errors).toMatchObject([
      { path: "framework", message: expect.stringMatching(/^is an id/) },
    ]);
  });

  test("what is another workspace's is as what is nobody's, by its path", async () => {
    const theirs = { key: stranger.apiKey };
    const own = await make("requirement");
    const foreign = await make("requirement", {}, theirs);
    const control = await make("control");
    for (const id of [foreign.id, randomUUID()]) {
      const answer = await call("PATCH", `/v1/controls/${control.id}`, {
        title: "Changed",
        requirements: [own.id, id],
      });
      expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: "requirements.1" }] } });
    }
    for (const id of [await makePerson(stranger.apiKey), randomUUID()]) {
      const answer = await call("PATCH", `/v1/controls/${control.id}`, { owner: id });
      expect(answer).toMatchObject({ status: 422, body: { errors: [{ path: "owner" }] } });
    }
    const now = await call("GET", `/v1/controls/${control.id}`);
    expect(now.body).toMatchObject({ title: "A control", version: 1, requirements: [] });
  });
});

describe("a version", () => {
  test("that is past is told so, and of two who change the same one wins", async () => {
    const { id } = await make("task");
    const path = `/v1/tasks/${id}`;
    const answers = await Promise.all(
      ["open", "done"].map((status) => call("PATCH", path, { status, version: 1 })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    const { body } = await call("GET", path);
    expect(body).toMatchObject({ version: 2 });
    expect(answers.find(({ status }) => status === 200)?.body).toEqual(body);
    expect(await call("PATCH", path, { version: 1 })).toMatchObject({ status: 409 });
    expect(await call("PATCH", path, {})).toEqual({ status: 200, body });
    // Without a version both are done, one after the other: none takes the other's field back.
    await Promise.all([call("PATCH", path, { title: "N" }), call("PATCH", path, { code: "N-1" })]);
    expect((await call("GET", path)).body).toMatchObject({ title: "N", code: "N-1", version: 4 });
  });

  test("links that two set at once are those of one of them", async () => {
    const requirements = [await make("requirement"), await make("requirement")];
    const { id } = await make("control", { status: "active" });
    const set = (of: { id: string }[]) =>
      call("PATCH", `/v1/controls/${id}`, { requirements: of.map((one) => one.id) });
    await Promise.all([set(requirements), set(requirements.slice(0, 1)), set([])]);
    const { body } = await call("GET", `/v1/controls/${id}`);
    const ids = requirements.map((one) => one.id);
    expect([[...ids].sort(), ids.slice(0, 1), []]).toContainEqual(body.requirements);
  });
});

test("what an import holds is not waited for with a connection for long", async () => {
  const { id } = await make("risk");
  await world.owner.transaction(async (tx) => {
    await tx.query("SELECT FROM risks WHERE id = $1 FOR UPDATE", [id]);
    const path = `/v1/risks/${id}`;
    const answers = await Promise.all([
      call("PATCH", path, { title: "N" }),
      call("DELETE", path),
      call("POST", `${path}/acceptances`, { reason: "R" }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
  });
});

describe("what others stand on", () => {
  test("is not removed before them, and says what they are", async () => {
    const framework = await make("framework");
    const requirement = await make("requirement", { framework: framework.id });
    const control = await make("control", { requirements: [requirement.id] });
    const task = await make("task", { control: control.id });
    const risk = await make("risk");
    await call("POST", `/v1/risks/${risk.id}/acceptances`, { reason: "Small" });
    for (const [path, what] of [
      [`/v1/frameworks/${framework.id}`, "requirements"],
      [`/v1/controls/${control.id}`, "tasks"],
      [`/v1/risks/${risk.id}`, "acceptances"],
    ] as const) {
      const answer = await call("DELETE", path);
      expect(answer.status).toBe(409);
      expect(answer.body.detail).toContain(what);
    }
    // A link is not another entry: it goes with either end.
    for (const path of [
      `/v1/tasks/${task.id}`,
      `/v1/controls/${control.id}`,
      `/v1/requirements/${requirement.id}`,
      `/v1/frameworks/${framework.id}`,
    ]) {
      expect((await call("DELETE", path)).status).toBe(200);
    }
  });

  test("a person who owned something is gone, and it is nobody's", async () => {
    const owner = await makePerson();
    const control = await make("control", { owner });
    const audit = await make("audit", { lead: owner });
    expect((await call("GET", `/v1/controls?owner=${owner}`)).body.data).toHaveLength(1);
    expect((await call("DELETE", `/v1/people/${owner}`)).status).toBe(200);
    const { body } = await call("GET", `/v1/controls/${control.id}`);
    expect(body).toMatchObject({ owner: null, version: 2 });
    expect((await call("GET", `/v1/audits/${audit.id}`)).body.lead).toBeNull();
  });
});

describe("lists", () => {
  /** Every page, of two entries each. */
  async function pages(path: string): Promise<string[]> {
    const ids: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const { status, body }: Answer = await call(
        "GET",
        `${path}&limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      expect(status).toBe(200);
      ids.push(...body.data.map(({ id }) => id));
      cursor = body.nextCursor;
    }
    return ids;
  }

  test("go by id, or by what is due first, narrowed by all that is asked", async () => {
    const assignee = await makePerson();
    const days = ["2026-03-02", "2026-03-01", "2026-03-01", "2026-03-03", "2026-03-04"];
    const tasks = [];
    for (const dueOn of days) tasks.push({ dueOn, ...(await make("task", { dueOn, assignee })) });
    const byId = tasks.map(({ id }) => id).sort();
    expect(await pages(`/v1/tasks?assignee=${assignee}`)).toEqual(byId);
    const due = tasks.filter(({ dueOn }) => dueOn < "2026-03-04");
    const byDue = due.sort((a, b) => (a.dueOn + a.id < b.dueOn + b.id ? -1 : 1));
    const asked = `/v1/tasks?assignee=${assignee}&status=open&dueBefore=2026-03-04`;
    expect(await pages(asked)).toEqual(byDue.map(({ id }) => id));
    expect(await pages(`/v1/tasks?assignee=${assignee}&status=done`)).toEqual([]);
  });

  test.each([
    "?cursor=nonsense",
    "?status=none",
    "?owner=Ada",
    "?severity=high",
    "?code=a%00b",
    `?dueBefore=2026-01-01&cursor=${Buffer.from(randomUUID()).toString("base64url")}`,
  ])("%s: 400", async (query) => {
    expect((await call("GET", `/v1/controls${query}`)).status).toBe(400);
  });
});

test("an Idempotency-Key adds one entry, however often and at once it is sent", async () => {
  const headers = { "idempotency-key": randomUUID() };
  const add = (code: string) => call("POST", "/v1/policies", { code, title: "P" }, { headers });
  const answers = await Promise.all([add("P-once"), add("P-once"), add("P-once")]);
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
  expect((await add("P-other")).status).toBe(422);
});
