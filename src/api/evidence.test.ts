import { randomBytes, randomUUID } from "node:crypto";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { unzip } from "../../test/support/unzip.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createWorkspace, type KeyScope } from "../connectors/index.ts";
import type { EvidenceView } from "../evidence/index.ts";

let world: TestSystem;
let reviewer = "";
let stranger = "";
let strangerId = "";

interface Body extends EvidenceView {
  data: EvidenceView[];
  nextCursor: string | null;
  detail: string;
  holds: Array<{ id: string; reason: string; releasedAt: string | null }>;
  revisions: Array<{ files: Array<{ name: string; submittedBy: string }> }>;
  entries: Array<{ action: string }>;
  maxBytes: number;
  contentTypes: string[];
}

interface Answered {
  status: number;
  headers: Headers;
  body: Body;
  bytes: Buffer;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  { key = world.apiKey, headers = {} }: { key?: string; headers?: Record<string, string> } = {},
): Promise<Answered> {
  const isRaw = body instanceof Uint8Array;
  const response = await fetch(world.url + path, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined || isRaw ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const isJson = response.headers.get("content-type")?.includes("json") ?? false;
  const answer = { status: response.status, headers: response.headers, bytes };
  return { ...answer, body: (isJson ? JSON.parse(String(bytes)) : {}) as Body };
}

async function newKey(scopes: KeyScope[]): Promise<string> {
  const { body } = await call("POST", "/v1/keys", { name: "K", scopes });
  return (body as unknown as { apiKey: string }).apiKey;
}

beforeAll(async () => {
  world = await startTestSystem({ pools: false });
  reviewer = await newKey(["approve", "read"]);
  ({ id: strangerId, apiKey: stranger } = await createWorkspace(world.system.db, "Stranger"));
});
afterAll(() => world.close());

const ask = async (more: object = {}) =>
  (await call("POST", "/v1/evidence", { description: "The form", ...more })).body;

/** Hands a file in; answers its id. */
async function upload(id: string, name: string, content: Uint8Array, type = "text/plain") {
  const path = `/v1/evidence/${id}/files?${new URLSearchParams({ name })}`;
  const { status, body } = await call("POST", path, content, { headers: { "content-type": type } });
  return { status, body, file: body.files?.at(-1) };
}

async function handedIn(name = "form.txt", content: Uint8Array = Buffer.from("signed")) {
  const { id } = await ask();
  const { file } = await upload(id, name, content);
  return { id, path: `/v1/evidence/${id}/files/${file?.id}`, file };
}

describe("evidence", () => {
  test("is asked for, changed, listed by state and control, and removed while it is empty", async () => {
    const [control] = await world.system.db.query<{ id: string }>(
      "INSERT INTO controls (workspace_id, code, title) VALUES ($1, 'C1', 'C') RETURNING id",
      [world.workspaceId],
    );
    const controlId = control?.id;
    const headers = { "idempotency-key": randomUUID() };
    const body = { type: "photo", description: "A", controlId, dueOn: "2030-02-28" };
    const made = await call("POST", "/v1/evidence", body, { headers });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ ...body, status: "requested", submittedBy: null, files: [] });
    expect((await call("POST", "/v1/evidence", body, { headers })).body).toEqual(made.body);
    const { id } = made.body;
    const listed = await call("GET", `/v1/evidence?status=requested&controlId=${controlId}`);
    expect(listed.body).toEqual({ data: [made.body], nextCursor: null });
    const changed = await call("PATCH", `/v1/evidence/${id}`, { controlId: null, description: "" });
    expect(changed.body.controlId).toBeUndefined();
    expect(changed.body.description).toBeUndefined();
    expect(changed.body.dueOn).toBe("2030-02-28");
    expect((await call("DELETE", `/v1/evidence/${id}`)).status).toBe(200);
    expect((await call("GET", `/v1/evidence/${id}`)).status).toBe(404);
  });

  test.each([
    ["a day that is none", { dueOn: "2030-02-30" }, 400],
    ["a long text", { description: "x".repeat(4_001) }, 400],
    ["NUL", { description: "a\0b" }, 400],
  ])("%s is refused", async (_, body, status) => {
    expect((await call("POST", "/v1/evidence", body)).status).toBe(status);
  });

  test("of a control or a person that is another's is refused as of what is nobody's, by the field", async () => {
    const [control] = await world.system.db.query<{ id: string }>(
      "INSERT INTO controls (workspace_id, code, title) VALUES ($1, 'theirs', 'C') RETURNING id",
      [strangerId],
    );
    const person = await call("POST", "/v1/people", { name: "Ada" }, { key: stranger });
    const { id: own } = await ask();
    for (const [field, theirs] of [
      ["controlId", control?.id],
      ["requestedOf", person.body.id],
    ] as const) {
      for (const [method, path] of [
        ["POST", "/v1/evidence"],
        ["PATCH", `/v1/evidence/${own}`],
      ] as const) {
        const answers = [
          await call(method, path, { [field]: theirs }),
          await call(method, path, { [field]: randomUUID() }),
        ];
        expect(answers[0]).toMatchObject({ status: 422, body: { errors: [{ path: field }] } });
        expect(answers[1]?.body).toEqual(answers[0]?.body);
      }
    }
  });

  test("pages from the newest back", async () => {
    const made = [await ask(), await ask(), await ask()].map(({ id }) => id);
    const first = await call("GET", "/v1/evidence?limit=2");
    const second = await call("GET", `/v1/evidence?limit=1&cursor=${first.body.nextCursor}`);
    const ids = [...first.body.data, ...second.body.data].map(({ id }) => id);
    expect(ids).toEqual(made.reverse());
  });

  test("is decided by another key than the one that handed it in, on what was seen", async () => {
    const { id } = await handedIn();
    const path = `/v1/evidence/${id}`;
    const approve = (key: string, revision: number) =>
      call("POST", `${path}/approve`, { revision, expiresOn: "2031-01-01" }, { key });
    expect((await approve(reviewer, 1)).status).toBe(409);
    expect((await call("POST", `${path}/submit`)).body).toEqual({
      id,
      status: "in_review",
      revision: 1,
    });
    expect((await call("POST", `${path}/submit`)).status).toBe(409);
    expect((await approve(world.apiKey, 1)).status).toBe(403);
    expect((await approve(reviewer, 2)).status).toBe(409);
    expect((await approve(reviewer, 1)).body).toEqual({ id, status: "approved", revision: 1 });
    expect(
      (await call("POST", `${path}/reject`, { revision: 1, reason: "no" }, { key: reviewer }))
        .status,
    ).toBe(409);
    expect((await call("PATCH", path, { expiresOn: null })).status).toBe(409);
    const { body } = await call("GET", path);
    expect(body).toMatchObject({
      status: "approved",
      approvedRevision: 1,
      expiresOn: "2031-01-01",
    });
    const provenance = await call("GET", `${path}/provenance`);
    expect(provenance.body).toMatchObject({
      revisions: [
        { decision: "approved", files: [{ name: "form.txt", submittedBy: body.submittedBy }] },
      ],
    });
    const actions = provenance.body.entries.map(({ action }) => action);
    expect(actions).toEqual(expect.arrayContaining(["evidence.approved", "evidence.submitted"]));
  });

  test("that is held is not removed before every hold is released", async () => {
    const { id } = await ask();
    const path = `/v1/evidence/${id}`;
    const held = await call("POST", `${path}/hold`, { reason: "a dispute" });
    expect(held.status).toBe(201);
    const { body } = await call("GET", path);
    expect(body).toMatchObject({ held: true, holds: [{ reason: "a dispute", releasedAt: null }] });
    expect(await call("DELETE", path)).toMatchObject({
      status: 409,
      body: { detail: "It is under a legal hold." },
    });
    const holdId = body.holds[0]?.id;
    expect((await call("POST", `${path}/release`, { holdId })).status).toBe(200);
    expect((await call("POST", `${path}/release`, { holdId })).status).toBe(404);
    expect((await call("DELETE", path)).status).toBe(200);
    const { id: kept } = await handedIn();
    expect((await call("DELETE", `/v1/evidence/${kept}`)).status).toBe(409);
  });

  test("settings are what is said, and bound what is taken in", async () => {
    expect((await call("GET", "/v1/evidence-settings")).body).toMatchObject({
      maxBytes: 2_147_483_648,
      contentTypes: [],
    });
    const change = { maxBytes: 10, contentTypes: ["Text/Plain"] };
    const changed = await call("PATCH", "/v1/evidence-settings", change);
    expect(changed.body).toMatchObject({ maxBytes: 10, contentTypes: ["text/plain"] });
    const { id } = await ask();
    expect((await upload(id, "a", Buffer.alloc(11, "a"))).status).toBe(413);
    expect((await upload(id, "a.txt", Buffer.from("%PDF-1.7"))).status).toBe(422);
    expect((await upload(id, "a", Buffer.alloc(0))).status).toBe(422);
    expect((await upload(id, "a", Buffer.from("a"))).status).toBe(201);
    const undone = { maxBytes: 2_147_483_648, contentTypes: [], keepDays: null };
    expect((await call("PATCH", "/v1/evidence-settings", undone)).status).toBe(200);
    expect((await call("PATCH", "/v1/evidence-settings", { keepDays: 0 })).status).toBe(400);
  });
});

describe("a file", () => {
  test("is one of few that a workspace sends at once, and others do not feel them", async () => {
    const { id } = await ask();
    const writing = async () => {
      const sql = "SELECT FROM stored_files WHERE workspace_id = $1 AND state = 'writing'";
      return (await world.owner.query(sql, [world.workspaceId])).length;
    };
    const sending = Array.from({ length: 16 }, () => {
      const sent = request(`${world.url}/v1/evidence/${id}/files`, {
        method: "POST",
        headers: { authorization: `Bearer ${world.apiKey}`, "content-length": 1_000 },
      });
      sent.on("error", () => {}).write("a");
      return sent;
    });
    await waitFor(async () => (await writing()) === 16, { what: "the uploads to have begun" });
    expect((await upload(id, "a", Buffer.from("one too many"))).status).toBe(503);
    const { id: theirs } = (await call("POST", "/v1/evidence", {}, { key: stranger })).body;
    const path = `/v1/evidence/${theirs}/files`;
    expect((await call("POST", path, Buffer.from("b"), { key: stranger })).status).toBe(201);
    for (const sent of sending) sent.destroy();
    await waitFor(async () => (await writing()) === 0, { what: "the uploads to be given up" });
    expect((await upload(id, "a", Buffer.from("and then"))).status).toBe(201);
  });

  test("is given back as it was, as an attachment, and its look is on record first", async () => {
    const content = randomBytes(300_000);
    const { id, path, file } = await handedIn('a"; b.html\u202E', content);
    expect(file).toMatchObject({ sizeBytes: 300_000, state: "stored", revision: 1 });
    const got = await call("GET", path);
    expect(got.status).toBe(200);
    expect(got.bytes.equals(content)).toBe(true);
    expect(Object.fromEntries(got.headers)).toMatchObject({
      "content-type": "application/octet-stream",
      "content-length": "300000",
      "content-disposition": expect.stringMatching(
        /^attachment; filename="a__ b\.html"; filename\*=/,
      ),
      "x-content-type-options": "nosniff",
      "content-security-policy": expect.stringMatching(/default-src 'none'.*sandbox/),
      "cache-control": "private, no-store",
      etag: `"${file?.sha256}"`,
    });
    const [look] = await world.system.db.query<{ subject_id: string }>(
      `SELECT subject_id FROM audit_entries WHERE workspace_id = $1
         AND action = 'evidence.file_read' AND details ->> 'fileId' = $2`,
      [world.workspaceId, file?.id],
    );
    expect(look).toEqual({ subject_id: id });
    const head = await call("HEAD", path);
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "300000"]);
  });

  test("is given in parts", async () => {
    const content = randomBytes(200_000);
    const { path, file } = await handedIn("a.bin", content);
    const part = (range: string, more = {}) =>
      call("GET", path, undefined, { headers: { range, ...more } });
    const middle = await part("bytes=65530-131079");
    expect(middle.status).toBe(206);
    expect(middle.headers.get("content-range")).toBe("bytes 65530-131079/200000");
    expect(middle.bytes.equals(content.subarray(65_530, 131_080))).toBe(true);
    const last = await part("bytes=-1", { "if-range": `"${file?.sha256}"` });
    expect(last.bytes.equals(content.subarray(-1))).toBe(true);
    expect((await part("bytes=0-0", { "if-range": '"other"' })).bytes).toHaveLength(200_000);
    const beyond = await part("bytes=200000-");
    expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, "bytes */200000"]);
  });

  test("is nobody's of another workspace, nor of other evidence", async () => {
    const { path, file } = await handedIn();
    expect((await call("GET", path, undefined, { key: stranger })).status).toBe(404);
    const { id } = await ask();
    expect((await call("GET", `/v1/evidence/${id}/files/${file?.id}`)).status).toBe(404);
  });

  test.each([
    ["quarantined", 409, /quarantine/],
    ["failed", 409, /could not be stored\. It was too large/],
    ["downloading", 409, /on its way/],
  ])("that is %s is not given out", async (state, status, says) => {
    const { path, file } = await handedIn();
    await world.owner.query("UPDATE evidence_files SET state = $2, error = $3 WHERE id = $1", [
      file?.id,
      state,
      "It was too large.",
    ]);
    const { status: answered, body } = await call("GET", path);
    expect([answered, body.detail]).toEqual([status, expect.stringMatching(says)]);
  });

  test("that is damaged in the middle is cut off; at its beginning it is told", async () => {
    const { path, file } = await handedIn("a.bin", randomBytes(1_000_000));
    const [row] = await world.owner.query<{ key: string }>(
      "SELECT workspace_id || '/' || stored_file_id AS key FROM evidence_files WHERE id = $1",
      [file?.id],
    );
    const storage = await world.system.files.storage();
    const sizeBytes = (await storage.sizeBytes(row?.key ?? "")) ?? 0;
    const sealed: Uint8Array[] = [];
    for await (const piece of await storage.read(row?.key ?? "", 0, sizeBytes)) sealed.push(piece);
    const alter = async (at: number) => {
      const other = Buffer.concat(sealed);
      other[at] = (other[at] ?? 0) ^ 1;
      await storage.put(
        row?.key ?? "",
        (async function* () {
          yield other;
        })(),
      );
    };
    await alter(900_000);
    await expect(call("GET", path)).rejects.toThrow();
    await alter(1_000);
    expect((await call("GET", path)).status).toBe(500);
  });
});

describe("a pack", () => {
  test("is a zip file, with what was done just now, and is on record", async () => {
    const { id, file } = await handedIn("signed form.txt", Buffer.from("signed"));
    const path = `/v1/evidence-packs?evidenceId=${id}`;
    const { status, headers, bytes } = await call("GET", path);
    expect([status, headers.get("content-type")]).toEqual([200, "application/zip"]);
    const inside = await unzip(bytes);
    const packed = [...inside].find(([name]) => name.endsWith("001-signed_form.txt"));
    expect(String(packed?.[1])).toBe("signed");
    expect(String(inside.get("SHA256SUMS"))).toContain(`${file?.sha256}  ${packed?.[0]}\n`);
    const [entry] = await world.system.db.query<{ details: object }>(
      `SELECT details FROM audit_entries WHERE workspace_id = $1 AND action = 'evidence.packed'`,
      [world.workspaceId],
    );
    expect(entry?.details).toMatchObject({ count: 1, files: 1, bytes: 6 });
    for (const asked of [`controlId=${randomUUID()}`, "framework=none"]) {
      expect((await call("GET", `/v1/evidence-packs?${asked}`)).status).toBe(404);
    }
    expect((await call("GET", path, undefined, { key: stranger })).status).toBe(404);
  });
});
