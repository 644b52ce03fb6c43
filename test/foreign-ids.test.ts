import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { z } from "zod";
import type { Route } from "../src/api/route.ts";
import { routes } from "../src/api/web-server.ts";
import { KINDS, type KindName } from "../src/register/index.ts";
import { type Inhabited, type TwoWorkspaces, twoWorkspaces } from "./support/two-workspaces.ts";

/**
 * Every call of the API that names something is made by workspace B with what is A's. B is told that
 * there is no such thing, as of what is nobody's, and nothing of A's has changed. A call whose ids
 * are not known here fails: say below what they name.
 */
type Named = (of: Inhabited) => string;

const entry =
  (kind: KindName): Named =>
  (of) =>
    of.entries[kind] ?? "";

/** What a path names, by the word before the parameter. */
const IN_PATHS: Record<string, Named> = {
  "connectors/:id": (of) => of.connectorId,
  "chats/:chatId": (of) => of.chatId,
  "conversations/:id": (of) => of.conversationId,
  "contacts/:id": (of) => of.contactId,
  "accounts/:id": (of) => of.accountId,
  "rules/:ruleId": (of) => of.ruleId,
  "messages/:id": (of) => of.messageId,
  "messages/:messageId": (of) => of.conversationMessageId,
  "approval-rules/:id": (of) => of.approvalRuleId,
  "approvals/:messageId": (of) => of.heldMessageId,
  "jobs/:id": (of) => of.jobId,
  "keys/:id": (of) => of.keyId,
  "people/:id": (of) => of.personId,
  "people/:personId": (of) => of.personId,
  "broadcasts/:id": (of) => of.broadcastId,
  "templates/:name": (of) => of.templateName,
  ...Object.fromEntries(KINDS.map(({ name, plural }) => [`${plural}/:id`, entry(name)])),
  "evidence/:id": (of) => of.evidenceId,
  "files/:fileId": (of) => of.fileId,
};

/**
 * What a field of a query or a body names; null: nothing that is a workspace's. Every field that ends
 * in Id or Ids is to be here. The longer name, with the call, goes first.
 */
const IN_FIELDS: Record<string, Named | null> = {
  workspaceId: (of) => of.workspaceId,
  connectorId: (of) => of.connectorId,
  chatId: (of) => of.chatId,
  updateId: (of) => of.updateId,
  accountId: (of) => of.accountId,
  personIds: (of) => of.personId,
  subjectId: (of) => of.messageId,
  actorId: (of) => of.keyId,
  lane: (of) => of.connectorId,
  q: (of) => of.jobId,
  owner: (of) => of.personId,
  assignee: (of) => of.personId,
  // A name, as whoever assigns has it.
  "patch /v1/conversations/:id assignee": null,
  lead: (of) => of.personId,
  ...Object.fromEntries(KINDS.map(({ name }) => [name, entry(name)])),
  requirements: entry("requirement"),
  controls: entry("control"),
  controlId: entry("control"),
  evidenceId: (of) => of.evidenceId,
  requestedOf: (of) => of.personId,
  holdId: (of) => of.holdId,
  // Telegram's ids, which any bot may be told.
  defaultChatId: null,
  // Null alone is taken: it ends a binding.
  telegramUserId: null,
  "post /v1/messages chatId": null,
  threadId: null,
  "post /v1/broadcasts chatIds": null,
  "post /v1/broadcasts/preview chatId": null,
  "post /v1/templates/:name/preview chatId": null,
};

/** Fields that take several. */
const LISTS = /Ids$|^(requirements|controls)$/;

/** Ids of Telegram's in paths: with a connector of one's own they name a chat of one's own. */
const OF_TELEGRAM = ["chats/:chatId"];

const NO_VERSION = "0".repeat(64);

/** What else a call must say to be understood. */
const BODIES: Record<string, (own: Inhabited) => object> = {
  "post /v1/keys": () => ({ name: "K", scopes: ["read"] }),
  "post /v1/people": () => ({ name: "P" }),
  "post /v1/people/:id/link": (own) => ({ connectorId: own.connectorId }),
  "post /v1/messages": (own) => ({ connectorId: own.connectorId, chatId: own.chatId, text: "x" }),
  "patch /v1/messages/:id": () => ({ text: "x" }),
  "post /v1/messages/:id/resolve": () => ({ verdict: "sent" }),
  "post /v1/broadcasts": (own) => ({
    connectorId: own.connectorId,
    chatIds: [own.chatId],
    text: "x",
    sendAt: LATER,
  }),
  "post /v1/broadcasts/preview": (own) => ({
    connectorId: own.connectorId,
    chatId: own.chatId,
    text: "x",
  }),
  "post /v1/conversations/:id/messages": () => ({ text: "x" }),
  "post /v1/approval-rules": () => ({ name: "R" }),
  "post /v1/approvals/:messageId/approve": () => ({ version: NO_VERSION }),
  "post /v1/approvals/:messageId/reject": () => ({ version: NO_VERSION, reason: "r" }),
  "post /v1/approvals/:messageId/edit": () => ({ version: NO_VERSION, text: "x" }),
  "post /v1/accounts": () => ({ name: "A" }),
  "patch /v1/accounts/:id": () => ({ name: "A" }),
  "post /v1/accounts/:id/rules": () => ({ kind: "domain", domain: "new.example" }),
  "post /v1/connectors/:id/token": () => ({
    botToken: "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0",
  }),
  "put /v1/connectors/:id/chats/:chatId": () => ({ linked: true }),
  "put /v1/connectors/:id/chats/:chatId/tags": () => ({ tags: ["x"] }),
  "put /v1/connectors/:id/chats/:chatId/broadcasts": () => ({ allowed: false }),
  ...Object.fromEntries(
    KINDS.map(({ plural }) => [`post /v1/${plural}`, () => ({ code: "new", title: "N" })]),
  ),
  "post /v1/requirements": (own) => ({ code: "n", title: "N", framework: own.entries.framework }),
  "post /v1/findings": () => ({ code: "new", title: "N", severity: "low" }),
  "post /v1/risks/:id/acceptances": () => ({ reason: "r" }),
  "post /v1/evidence/:id/approve": () => ({ revision: 1 }),
  "post /v1/evidence/:id/reject": () => ({ revision: 1, reason: "r" }),
  "post /v1/evidence/:id/hold": () => ({ reason: "r" }),
  "post /v1/evidence/:id/release": (own) => ({ holdId: own.holdId }),
  "post /v1/templates": () => ({ name: "notice", body: "Noted" }),
  "post /v1/templates/:name/preview": (own) => ({
    connectorId: own.connectorId,
    chatId: own.chatId,
  }),
};

let world: TwoWorkspaces;
let before: Record<string, string[]>;

beforeAll(async () => {
  world = await twoWorkspaces();
  before = await world.rowsOf(world.a.workspaceId);
});
afterAll(() => world.close());

const nameOf = ({ method, path }: Route) => `${method} ${path}`;
/** Each parameter of a path with the word before it. */
const paramsOf = ({ path }: Route) => [...path.matchAll(/[^/]+\/:\w+/g)].map(([param]) => param);

function fieldsOf(route: Route, place: "query" | "body"): string[] {
  const schema = route[place];
  if (schema === undefined) return [];
  const { properties } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return Object.keys(properties ?? {});
}

const namedBy = (route: Route, field: string): Named | null | undefined => {
  const known = IN_FIELDS[`${nameOf(route)} ${field}`];
  return known === undefined ? IN_FIELDS[field] : known;
};

/** The path with what `whose` says for each parameter. */
function pathFor(route: Route, whose: (param: string) => Inhabited): string {
  return route.path.replace(/([^/]+)\/:(\w+)/g, (param, word: string) => {
    const named = IN_PATHS[param];
    if (named === undefined) throw new Error(`say in IN_PATHS what ${param} names`);
    return `${word}/${named(whose(param))}`;
  });
}

const bodyFor = (route: Route, more: object = {}) =>
  route.body === undefined ? undefined : { ...BODIES[nameOf(route)]?.(world.b), ...more };

/** Not understood is not refused: the call must say what it has to. */
const understood = (route: Route, { status, body }: { status: number; body: unknown }) => {
  if (status !== 400) return;
  throw new Error(`${nameOf(route)} needs an entry in BODIES: ${JSON.stringify(body)}`);
};

const untouched = async () => expect(await world.rowsOf(world.a.workspaceId)).toEqual(before);

const open = routes.filter(({ auth }) => auth !== "admin");
const withPaths = open.filter((route) => paramsOf(route).length > 0);
const withFields = open.flatMap((route) =>
  (["query", "body"] as const).flatMap((place) =>
    fieldsOf(route, place)
      .filter((field) => namedBy(route, field) !== null)
      .filter((field) => /Ids?$/.test(field) || namedBy(route, field) !== undefined)
      .map((field) => ({ route, place, field })),
  ),
);

test("there is something to try", () => {
  expect(withPaths.length).toBeGreaterThan(10);
  expect(withFields.length).toBeGreaterThan(10);
});

test("a listing without any filter shows nothing of another workspace", async () => {
  const { a, b } = world;
  const ids = [a.connectorId, a.messageId, a.keyId, a.workspaceId, ...Object.values(a.entries)];
  for (const route of open) {
    if (route.method !== "get" || paramsOf(route).length > 0) continue;
    // A file is no list of what there is.
    if (route.success.contentTypes !== undefined) continue;
    const { status, body } = await world.call(b.apiKey, "get", route.path);
    expect({ path: route.path, status }).toEqual({ path: route.path, status: 200 });
    const shown = ids.filter((id) => JSON.stringify(body).includes(id));
    expect({ path: route.path, shown }).toEqual({ path: route.path, shown: [] });
  }
  const health = await world.call(b.apiKey, "get", "/api/integrations/telegram/health");
  expect(health.body.connectors).toMatchObject([{ id: b.connectorId }]);
});

describe("a path with another workspace's ids: 404, and nothing has changed", () => {
  test.each(withPaths.map((route) => [nameOf(route), route] as const))("%s", async (_, route) => {
    const params = paramsOf(route);
    const foreign = [params, ...(params.length > 1 ? params.map((one) => [one]) : [])].filter(
      (some) => some.some((param) => !OF_TELEGRAM.includes(param)),
    );
    for (const some of foreign) {
      const path = pathFor(route, (param) => (some.includes(param) ? world.a : world.b));
      const answer = await world.call(world.b.apiKey, route.method, path, bodyFor(route));
      understood(route, answer);
      expect({ some, status: answer.status }).toEqual({ some, status: 404 });
      await untouched();
    }
  });

  test.each(
    withPaths
      // Files are shown by tests of their own.
      .filter(({ method, success }) => method === "get" && success.contentTypes === undefined)
      .map((route) => [nameOf(route), route] as const),
  )("its own workspace is shown: %s", async (_, route) => {
    const path = pathFor(route, () => world.b);
    expect((await world.call(world.b.apiKey, route.method, path)).status).toBe(200);
  });
});

/** Lists are empty, and what is counted is nothing. */
function isEmpty(body: unknown): boolean {
  if (typeof body === "number") return body === 0;
  if (Array.isArray(body)) return body.length === 0;
  if (typeof body !== "object" || body === null) return true;
  return Object.values(body).every(isEmpty);
}

describe("a field that names another workspace's: 404, 422 or nothing, and nothing has changed", () => {
  test.each(withFields.map((one) => [`${nameOf(one.route)} ${one.field}`, one] as const))(
    "%s",
    async (name, { route, place, field }) => {
      const named = namedBy(route, field);
      if (!named) throw new Error(`say in IN_FIELDS what ${name} names`);
      const value = LISTS.test(field) ? [named(world.a)] : named(world.a);
      const own = pathFor(route, () => world.b);
      const answer =
        place === "body"
          ? await world.call(world.b.apiKey, route.method, own, bodyFor(route, { [field]: value }))
          : await world.call(
              world.b.apiKey,
              route.method,
              `${own}?${new URLSearchParams({ [field]: String(value) })}`,
            );
      understood(route, answer);
      if (answer.status !== 404 && answer.status !== 422) {
        expect({ status: answer.status, empty: isEmpty(answer.body) }).toEqual({
          status: 200,
          empty: true,
        });
      }
      await untouched();
    },
  );
});

test("a message carries no file of another workspace's evidence, nor is told that there is one", async () => {
  const { a, b, call } = world;
  const before = await world.rowsOf(b.workspaceId);
  const document = (evidenceFileId: string) => ({ type: "document", file: { evidenceFileId } });
  const contents = (id: string) => [
    document(id),
    { type: "photo", file: { evidenceFileId: id } },
    { type: "album", items: [document(b.fileId), document(id)] },
  ];
  const answers = async (id: string) => {
    const answered = [];
    for (const content of contents(id)) {
      const own = { connectorId: b.connectorId, chatId: b.chatId, content };
      answered.push(await call(b.apiKey, "post", "/v1/messages", own));
      const path = `/v1/conversations/${b.conversationId}/messages`;
      answered.push(await call(b.apiKey, "post", path, { content }));
    }
    return answered;
  };
  const foreign = await answers(a.fileId);
  expect(foreign.map(({ status }) => status)).toEqual(Array(6).fill(422));
  expect(foreign).toEqual(await answers(randomUUID()));
  await untouched();
  const rows = await world.rowsOf(b.workspaceId);
  expect(rows.outbound_messages).toEqual(before.outbound_messages);
});

test("an Idempotency-Key of one workspace stands for nothing of another's", async () => {
  const send = (of: Inhabited, text: string) =>
    fetch(`${world.system.url}/v1/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${of.apiKey}`,
        "content-type": "application/json",
        "idempotency-key": "the same",
      },
      body: JSON.stringify({ connectorId: of.connectorId, chatId: of.chatId, text, sendAt: LATER }),
    }).then(async (response) => ({ status: response.status, body: await response.json() }));
  const first = await send(world.b, "of b");
  expect(first.status).toBe(202);
  expect(await send(world.b, "of b")).toEqual(first);
  const other = await send(world.a, "of a");
  expect(other.status).toBe(202);
  expect(other.body).not.toEqual(first.body);
});
const LATER = new Date(Date.now() + 3_600_000).toISOString();
