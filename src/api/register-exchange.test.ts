import http from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { rawRequest, startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { ImportOutcome } from "../register/index.ts";

let world: TestSystem;
beforeAll(async () => {
  world = await startTestSystem({ pools: false, requestTimeoutMs: 300 });
});
afterAll(() => world.close());

interface Answered {
  status: number;
  body: ImportOutcome & { title: string; detail: string; errors: { path: string }[] };
}

async function bringIn(query: string, file: string, headers = {}): Promise<Answered> {
  const response = await fetch(`${world.url}/v1/register/import?${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${world.apiKey}`, "content-type": "text/csv", ...headers },
    body: file,
  });
  return { status: response.status, body: (await response.json()) as Answered["body"] };
}

const exported = async (query: string) => {
  const response = await fetch(`${world.url}/v1/register/export?${query}`, {
    headers: { authorization: `Bearer ${world.apiKey}` },
  });
  return { response, text: await response.text() };
};

const CONTROLS = 'code,title\nC-1,One\nC-2,"=Two; ü"\n';

test("a file is tried, brought in, and given back so that another import takes it", async () => {
  const dry = await bringIn("kind=controls&dryRun=true", CONTROLS);
  expect(dry).toMatchObject({ status: 200, body: { created: 2, dryRun: true } });
  expect((await exported("kind=controls&format=csv")).text.split("\r\n")).toHaveLength(2);
  const outcome = { kind: "controls", rows: 2, created: 2, changed: 0, unchanged: 0 };
  const none = { problems: [], problemCount: 0, dryRun: false };
  expect(await bringIn("kind=controls", CONTROLS)).toEqual({
    status: 200,
    body: { ...outcome, ...none },
  });
  const { response, text } = await exported("kind=controls&format=csv");
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "text/csv; charset=utf-8",
    "content-disposition": expect.stringMatching(/^attachment; filename="controls\.csv"; /),
    "content-security-policy": expect.stringContaining("sandbox"),
    "cache-control": "private, no-store",
    "x-content-type-options": "nosniff",
  });
  expect(text).toContain('"\'=Two; ü"');
  const again = await bringIn("kind=controls", text);
  expect(again.body).toMatchObject({ created: 0, changed: 0, unchanged: 2 });
  const whole = await exported("");
  expect(whole.response.headers.get("content-type")).toBe("application/json; charset=utf-8");
  const all = await bringIn("kind=all&format=json", whole.text, { "content-type": "text/plain" });
  expect(all.body).toMatchObject({ kind: "all", rows: 2, unchanged: 2 });
});

test("what is wrong with a file is 422, with the list; an Idempotency-Key is free again", async () => {
  const key = { "idempotency-key": "one" };
  const wrong = "code,title,status\nC-9,Nine,done\n";
  const { status, body } = await bringIn("kind=controls", wrong, key);
  const message = "is one of to_do, in_progress, active, degraded, deprecated";
  expect(status).toBe(422);
  expect(body).toMatchObject({
    title: "The file cannot be imported",
    problems: [{ line: 2, column: "status", code: "C-9", message }],
    problemCount: 1,
    errors: [{ path: "lines.2.status", message }],
  });
  const right = "code,title,status\nC-9,Nine,active\n";
  const first = await bringIn("kind=controls", right, key);
  expect(first).toMatchObject({ status: 200, body: { created: 1 } });
  expect(await bringIn("kind=controls", right, key)).toEqual(first);
  expect((await bringIn("kind=controls", `${right}C-10,Ten,active\n`, key)).status).toBe(422);
});

test("the description lets a problem say more, and a file be of any type", async () => {
  const { paths } = JSON.parse(await (await fetch(`${world.url}/openapi.json`)).text());
  const told = paths["/v1/register/import"].post.responses.default.content;
  expect(told["application/problem+json"].schema.additionalProperties).not.toBe(false);
  const file = paths["/v1/evidence/{id}/files/{fileId}"].get.responses[200].content;
  expect(Object.keys(file)).toEqual(["*/*"]);
});

test("a file and its Idempotency-Key are written together, or neither is", async () => {
  const key = { "idempotency-key": "torn" };
  const file = "code,title\nC-30,Thirty\n";
  await world.owner.query(`
    CREATE FUNCTION no_answer() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'the process is gone'; END $$;
    CREATE TRIGGER no_answer BEFORE UPDATE ON idempotency_keys
      FOR EACH ROW EXECUTE FUNCTION no_answer()`);
  expect((await bringIn("kind=controls", file, key)).status).toBe(500);
  await world.owner.query("DROP FUNCTION no_answer CASCADE");
  expect(await bringIn("kind=controls", file, key)).toMatchObject({
    status: 200,
    body: { created: 1 },
  });
});

describe("what cannot be taken in is refused in words", () => {
  test.each([
    ["", {}, 400, /query/],
    ["kind=controls&colour=red", {}, 400, /query/],
    ["kind=all", {}, 400, /entries of one kind/],
    ["kind=controls", { "content-type": "image/png" }, 415, /CSV or JSON/],
    ["kind=controls", { "content-type": "text/csv; charset=latin1" }, 415, /UTF-8/],
    ["kind=controls", { "content-encoding": "gzip" }, 415, /not compressed/],
  ])("%s %j: %d", async (query, headers, status, words) => {
    const answer = await bringIn(query, CONTROLS, headers);
    expect([answer.status, answer.body.detail]).toEqual([status, expect.stringMatching(words)]);
  });

  test("a body that says it is larger than may be, before it is sent; one that turns out to be", async () => {
    const path = "/v1/register/import?kind=controls";
    const headers = { authorization: `Bearer ${world.apiKey}`, "content-type": "text/csv" };
    const said = await rawRequest(world.url, {
      path,
      headers: { ...headers, "content-length": String(65 * 1_048_576), expect: "100-continue" },
    });
    expect([said.status, JSON.parse(said.body).detail]).toEqual([413, expect.any(String)]);
    expect(said.headers.connection).toBe("close");
  });
});

test("a large file may take longer than other requests may", async () => {
  const { port } = new URL(world.url);
  const slow = http.request({
    port,
    host: "127.0.0.1",
    method: "POST",
    path: "/v1/register/import?kind=controls",
    headers: { authorization: `Bearer ${world.apiKey}`, "content-type": "text/csv" },
  });
  const answered = new Promise<number>((resolve, reject) => {
    slow.once("response", (response) => resolve(response.resume().statusCode ?? 0));
    slow.once("error", reject);
  });
  slow.write("code,title\n");
  // Begun after it, and cut off: so the time for requests is over for the other, too.
  const late = connect(Number(port), "127.0.0.1");
  let told = "";
  late.on("data", (chunk) => {
    told += chunk;
  });
  late.on("error", () => {});
  late.write(
    `POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${world.apiKey}\r\n` +
      "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
  );
  await waitFor(() => told.startsWith("HTTP/1.1 408 "), { what: "the other to be cut off" });
  slow.end("C-20,Twenty\n");
  expect(await answered).toBe(200);
  late.destroy();
});
