import { expect, test } from "@jest/globals";
import type { Reply } from "../conversations/index.ts";
import type { Transaction } from "../platform/index.ts";
import type { Dialogs } from "./dialogs/index.ts";
import { createHandlers } from "./handlers.ts";
import type { Asker, RequestOf } from "./request-sink.ts";

/** None of these reads anything. */
const tx: Transaction = {
  query: async () => {
    throw new Error("nothing is read");
  },
  engine: {
    query: async () => {
      throw new Error("nothing is read");
    },
  },
  afterCommit: () => {},
};
const asker: Asker = {
  viewer: { personId: null, role: null },
  access: "heard",
  botUsername: "a_bot",
};
const asked = {
  workspaceId: "w",
  connectorId: "c",
  chatId: "1",
  threadId: null,
  chatType: "private" as const,
  purpose: null,
  user: {
    id: "1",
    isBot: false,
    firstName: "Ada",
    lastName: null,
    username: null,
    languageCode: "en",
  },
  askedAtMs: 0,
  causeId: "1",
};
const command = (name: string, args: string): RequestOf<"command"> => ({
  ...asked,
  kind: "command",
  name,
  args,
  messageId: "1",
});
const words: RequestOf<"text"> = {
  ...asked,
  kind: "text",
  text: "hello",
  entities: null,
  messageId: "1",
  replyToMessageId: null,
};
const file: RequestOf<"file"> = {
  ...asked,
  kind: "file",
  messageId: "1",
  contentKind: "photo",
  media: null,
  place: null,
  caption: null,
  mediaGroupId: null,
};

const answered = {
  kind: "message",
  workspaceId: "w",
  connectorId: "c",
  chatId: "1",
  threadId: null,
  format: "plain",
  causeId: "1",
} as const;

/** Dialogs that note what they were given, and answer `said`; they take nothing but what `isTaken` says. */
function noted(said: Reply[] = [], isTaken = false) {
  const given: unknown[] = [];
  const dialogs: Dialogs = {
    evidence: async (_tx, _request, _asker, some) => {
      given.push(some);
      return said;
    },
    assess: async (_tx, _request, _asker, wanted) => {
      given.push("code" in wanted ? wanted.code : wanted.riskId);
      return said;
    },
    press: async (_tx, { data }) => {
      given.push(data);
      return said;
    },
    file: async () => ({ replies: said, isTaken }),
    text: async () => ({ replies: said, isTaken }),
  };
  return { given, handlers: createHandlers({ dialogs }) };
}

test("what begins a dialog, or presses its button, is the dialogs'", async () => {
  const { given, handlers } = noted();
  await handlers.command(tx, command("evidence", 'document "Quarterly report"'), asker);
  await handlers.command(tx, command("risk", "Assess R-12"), asker);
  const press: RequestOf<"press"> = {
    ...asked,
    kind: "press",
    data: "d:token",
    callbackQueryId: "1",
    messageId: "2",
  };
  await handlers.press(tx, press, asker);
  expect(given).toEqual([["document", "Quarterly report"], "R-12", "d:token"]);
  const [told] = await handlers.command(tx, command("evidence", 'document "Quarterly'), asker);
  expect(told?.text).toContain("quotation mark");
});

test("a customer's file is for support, where the register is the workspace's own alone", async () => {
  const answer: Reply = { ...answered, text: "You may not hand in evidence here." };
  const { handlers } = noted([answer]);
  const members: Asker = { ...asker, access: "members" };
  expect(await handlers.file(tx, file, members)).toMatchObject({
    replies: [{ isCourtesy: true, text: expect.stringContaining("Our team will answer") }],
    isTaken: false,
  });
  const employee: Asker = { ...members, viewer: { personId: "p", role: "auditor" } };
  expect(await handlers.file(tx, file, employee)).toEqual({ replies: [answer], isTaken: false });
});

test("words that are for no dialog are answered in private, and in groups let be; files are the dialogs'", async () => {
  const { handlers } = noted();
  const left = { replies: [], isTaken: false };
  expect(await handlers.text(tx, words, asker)).toMatchObject({
    replies: [{ isCourtesy: true }],
    isTaken: false,
  });
  expect(await handlers.file(tx, file, asker)).toEqual(left);
  const group = { ...asked, chatType: "group" as const };
  expect(await handlers.text(tx, { ...words, ...group }, asker)).toEqual(left);
  for (const replies of [[{ ...answered, text: "taken" }], []]) {
    const taking = noted(replies, true).handlers;
    expect(await taking.text(tx, words, asker)).toEqual({ replies, isTaken: true });
    expect(await taking.file(tx, file, asker)).toEqual({ replies, isTaken: true });
  }
});
