import { expect, test } from "@jest/globals";
import { type Asking, noticeOf } from "./notice.ts";

const asking: Asking = {
  ruleName: "r".repeat(300),
  needed: 2,
  author: "a".repeat(300),
  chatId: "-1001234567890",
  chatTitle: "t".repeat(300),
  text: "x".repeat(1_024),
  buttons: null,
  leads: [],
  hasContent: true,
  files: Array.from({ length: 10 }, (_, n) => ({
    name: `${n}\n\u202E${"long name ".repeat(25)}`,
    sizeBytes: 52_428_800,
    sha256: String(n).repeat(64),
  })),
  broadcastTo: null,
  sendAt: new Date(0),
  delivery: {
    replyTo: "1234567890",
    threadId: "1234567890",
    isOfBusiness: true,
    deleteAfterS: 171_000,
    isSilent: true,
    isProtected: true,
  },
  expiresAt: new Date(0),
};

test("a request names all files of an album with their hashes, whatever else has to be shortened", () => {
  const { text, isWhole } = noticeOf(asking);
  expect(text.length).toBeLessThanOrEqual(4_096);
  for (const { sha256 } of asking.files) expect(text).toContain(`SHA-256: ${sha256}\n`);
  expect(text.match(/^File of evidence: \d .{58} \(52428800 bytes\)$/gmu)).toHaveLength(10);
  expect(isWhole).toBe(false);
});
