import { randomUUID } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { apiWorld, expectProblem, inAnHour } from "../../test/support/api-world.ts";

const ADMIN = "the-administrator";
const LATER = inAnHour();
const world = apiWorld();
const { call, owned } = world;

describe("what is not what a call takes", () => {
  const good = () => ({ connectorId: owned.connector, chatId: "7001", text: "hello" });

  test.each([
    ["chatId", { chatId: "my chat" }],
    ["chatId", { chatId: 1.5 }],
    ["chatId", { chatId: "0123" }],
    ["chatId", { chatId: "-00123" }],
    ["chatId", { chatId: "0" }],
    ["chatId", { chatId: "-0" }],
    ["chatId", { chatId: 0 }],
    ["text", { text: "" }],
    ["text", { text: " \n " }],
    ["text", { text: "nul \0 inside" }],
    ["text", { text: "x".repeat(40_001) }],
    ["connectorId", { connectorId: "1" }],
    ["priority", { priority: "urgent" }],
    ["format", { format: "rtf" }],
    ["text", { text: "a <font>word</font>", format: "html" }],
    ["text", { text: "<b> </b>", format: "html" }],
    ["text", { text: "x".repeat(1_025), content: { type: "photo", file: { fileId: "a" } } }],
    ["text", { text: "**a** ".repeat(1_000), format: "markdown" }],
    ["sendAt", { sendAt: "tomorrow" }],
    ["sendAt", { sendAt: "0000-01-01T00:00:00Z" }],
    ["sendAt", { sendAt: "0001-01-01T00:00:00+23:59" }],
    ["sendAt", { sendAt: "9999-12-31T23:59:59-23:59" }],
    ["buttons.0.0.text", { buttons: [[{ text: "nul \0", data: "a" }]] }],
    ["buttons.0.0.data", { buttons: [[{ text: "half", data: "a\ud800" }]] }],
    ["text", { text: "half \udc00 a character" }],
    ["replyTo", { replyTo: -1 }],
    ["onUnknown", { onUnknown: "whatever" }],
    ["text", { text: undefined }],
    ["content.file.url", { content: { type: "photo", file: { url: "http://127.0.0.1/" } } }],
    ["text", { content: { type: "chat-action", action: "typing" } }],
    ["threadId", { threadId: 0 }],
    ["deleteAfter", { deleteAfter: 172_801 }],
    ["buttons.0.0", { buttons: [[{ text: "both", data: "a", url: "https://example.com" }]] }],
    ["buttons.0.0.data", { buttons: [[{ text: "long", data: "é".repeat(33) }]] }],
    ["", { unheardOf: 1 }],
  ])("POST /v1/messages: 400 that names %s", async (path, change) => {
    const answer = await call("post", "/v1/messages", { body: { ...good(), ...change } });
    expectProblem(answer, 400);
    expect(answer.body.errors).toEqual(
      expect.arrayContaining([{ path, message: expect.any(String) }]),
    );
  });

  test.each([
    ["name", { name: " " }],
    ["name", { name: "x".repeat(201) }],
    ["name", { name: "nul \0 inside" }],
    ["description", { description: "half \ud800" }],
    ["botToken", { botToken: "not a token" }],
    ["description", { description: "x".repeat(513) }],
  ])(
    "POST /v1/connectors: 400 that names %s, and the token is not repeated",
    async (path, change) => {
      const body = { name: "Desk", botToken: `1234567:${"A".repeat(35)}`, ...change };
      const answer = await call("post", "/v1/connectors", { body });
      expectProblem(answer, 400);
      expect(answer.body.errors[0]?.path).toBe(path);
      expect(answer.text).not.toContain(body.botToken);
    },
  );

  test.each([
    ["no JSON", "{", "application/json", 400],
    ["JSON that is no object", "[1]", "application/json", 400],
    ["a string", '"x"', "application/json", 400],
    ["another content type", "name=x", "application/x-www-form-urlencoded", 415],
    ["no content type", "{}", "", 415],
    ["too much", `{"name":"${"x".repeat(1_100_000)}"}`, "application/json", 413],
    ["nested to death", `${"[".repeat(200_000)}${"]".repeat(200_000)}`, "application/json", 400],
    ["latin1", "{}", "application/json; charset=x-unknown", 415],
  ])("a body that is %s", async (_name, body, type, status) => {
    const answer = await call("post", "/v1/connectors", {
      body,
      headers: { "content-type": type },
    });
    expectProblem(answer, status);
  });

  test.each([
    "/v1/connectors?limit=0",
    "/v1/connectors?limit=201",
    "/v1/connectors?limit=ten",
    "/v1/jobs?queue=nothing",
    "/v1/jobs?state=lost",
    `/v1/jobs?q=${"x".repeat(201)}`,
    "/v1/conversations?connectorId=1",
    "/v1/conversations?chatId=abc",
    "/v1/jobs?lane=%00",
    "/v1/jobs?q=a%00b",
    "/v1/jobs?limit=0x10",
    "/v1/jobs?limit=1e2",
    "/v1/jobs?cursor=",
    "/v1/connectors?cursor=",
    "/v1/conversations?cursor=",
    "/v1/conversations?chatId[]=1",
    "/v1/conversations?chat_id=1",
    "/v1/connectors/not-a-uuid",
    "/v1/connectors/%00",
  ])("GET %s: 400", async (path) => {
    expectProblem(await call("get", path), 400);
  });

  test.each([
    "/v1/messages/x",
    "/v1/messages/1",
    "/v1/jobs/x",
    "/v1/jobs/99999999999999999999",
    "/v1/conversations/x/messages",
    "/v1/conversations/99999999999999999999/messages",
  ])("GET %s: nobody has that, 404", async (path) => {
    expectProblem(await call("get", path), 404);
  });

  test("a change is of a message of one's own, to its bot and its chat", async () => {
    const { connectorId, chatId } = good();
    const sent = await call("post", "/v1/messages", { body: { ...good(), threadId: 7 } });
    expect(sent.status).toBe(202);
    const edit = (messageId: string, more: object = {}) =>
      call("post", "/v1/messages", {
        body: { connectorId, chatId, text: "new", content: { type: "edit", messageId }, ...more },
      });
    expect((await edit(sent.body.id)).status).toBe(202);
    expectProblem(await edit(sent.body.id, { chatId: "7002" }), 404);
    expectProblem(await edit(randomUUID()), 404);
    const later = await call("post", "/v1/messages", { body: { ...good(), sendAt: LATER } });
    expectProblem(await edit(later.body.id), 409);
  });

  test("other calls that take text: 400 for what cannot be stored, and nothing is half done", async () => {
    const path = `/v1/connectors/${owned.connector}`;
    const calls: Array<[method: string, path: string, body: unknown, key?: string]> = [
      ["patch", path, { name: "a\0b" }],
      ["patch", path, { description: "a\ud800" }],
      ["post", "/v1/jobs/retry", { lane: "\0" }],
      ["post", "/v1/jobs/retry", { q: "a\0" }],
      ["post", "/v1/workspaces", { name: "a\0b" }, ADMIN],
      ["post", "/v1/workspaces", { name: "a\ud800b" }, ADMIN],
      ["put", `${path}/chats/-0`, { linked: true }],
      ["put", `${path}/chats/0000001`, { linked: true }],
    ];
    for (const [method, where, body, key = world.system().apiKey] of calls) {
      expectProblem(await call(method, where, { body, key }), 400);
    }
  });

  test("a body of nothing but unknown fields is not read back in full", async () => {
    const body = Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`field-${n}`, 1]));
    const answer = await call("post", "/v1/messages", { body });
    expectProblem(answer, 400);
    expect(answer.text.length).toBeLessThan(20_000);
  });

  test.each(["/v1/nothing", "/v2/connectors", "/v1/connectors/", "/../etc/passwd", "/%"])(
    "GET %s: there is no such address",
    async (path) => {
      const answer = await call("get", path);
      expect([200, 400, 404]).toContain(answer.status);
      if (answer.status !== 200) expectProblem(answer, answer.status);
    },
  );

  test("a cursor that the list did not give out: 400, in every list", async () => {
    const encode = (text: string) => Buffer.from(text).toString("base64url");
    const others = (await call("get", "/v1/jobs?limit=1")).body.nextCursor;
    expect(typeof others).toBe("string");
    const cursors = [
      "x",
      "%00",
      "%F0%9F",
      encode("1; DROP TABLE jobs"),
      encode("-".repeat(36)),
      encode("9".repeat(19)),
      encode("conversations|99999999999999999999"),
      encode("conversations|1|2"),
      `${encode("123")}==`,
    ];
    const lists = [
      "/v1/connectors",
      "/v1/conversations",
      "/v1/jobs",
      `/v1/connectors/${owned.connector}/chats`,
      `/v1/conversations/${owned.conversation}/messages`,
    ];
    for (const list of lists) {
      const foreign = list === "/v1/jobs" ? [] : [others];
      for (const cursor of [...cursors, ...foreign]) {
        expectProblem(await call("get", `${list}?cursor=${cursor}`), 400);
      }
    }
  });
});
