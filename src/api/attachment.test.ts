import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "@jest/globals";
import { fc, runs } from "../../test/support/property.ts";
import { safeFileName } from "../platform/index.ts";
import { attachmentHeaders } from "./attachment.ts";

const HOSTILE = [
  "../../etc/passwd",
  "..\\..\\boot.ini",
  'a"; filename="b.exe',
  "a\r\nSet-Cookie: x=1",
  "a\0.pdf",
  "invoice\u202Efdp.exe",
  "%2e%2e%2f",
  "🔥🔥.png",
  "\uD800.pdf",
  "x".repeat(4_096),
  `${"長".repeat(4_096)}.pdf`,
  ". . .",
  "",
  "a;b=c,d'e",
];
const names = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: "binary", maxLength: 300 }),
  fc
    .array(
      fc.constantFrom("\r", "\n", '"', "\\", "/", ";", "%", "'", ".", "\u202e", "a", "é", "\0"),
    )
    .map((letters) => letters.join("")),
);

/** As a browser reads RFC 8187's form. */
function namesIn(disposition: string): { ascii: string; encoded: string } {
  const match = /^attachment; filename="([^"\\]*)"; filename\*=UTF-8''([A-Za-z0-9%._~$&+-]+)$/.exec(
    disposition,
  );
  if (match === null) throw new Error(`not to be read: ${disposition}`);
  return { ascii: match[1] ?? "", encoded: decodeURIComponent(match[2] ?? "") };
}

test("whatever a file is called and said to be, its head is one attachment with one harmless name", () => {
  fc.assert(
    fc.property(names, fc.oneof(names, fc.constant("text/html")), (name, contentType) => {
      const headers = attachmentHeaders({ name, contentType, sizeBytes: 3 });
      const response = new ServerResponse(new IncomingMessage(new Socket()));
      // Node refuses what would break out of a header.
      for (const [header, value] of Object.entries(headers)) response.setHeader(header, value);
      for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\x7e]+$/);
      const { ascii, encoded } = namesIn(headers["content-disposition"] ?? "");
      expect(encoded).toBe(safeFileName(name, 150) || "file");
      expect(ascii.length).toBeGreaterThan(0);
      expect([...encoded].length).toBeLessThanOrEqual(150);
      expect(encoded).not.toMatch(/(?!\u200d)[\p{C}\p{Zl}\p{Zp}/\\:*?"<>|]|^\.|^ | $|\.$/u);
      expect(headers["content-type"]).toMatch(/^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/);
    }),
    { numRuns: runs(500) },
  );
});

/** The name that a browser saves it under. */
const savedAs = (name: string | null): string =>
  namesIn(
    attachmentHeaders({ name, contentType: null, sizeBytes: null })["content-disposition"] ?? "",
  ).encoded;

test.each([
  ["Prüfbericht 2026 (final).pdf", "Prüfbericht 2026 (final).pdf"],
  ["../../etc/passwd", "passwd"],
  ["invoice\u202Efdp.exe", "invoicefdp.exe"],
  ['a"; x="b.pdf', "a_; x=_b.pdf"],
  ["a\r\nSet-Cookie: b", "aSet-Cookie_ b"],
  ["📄", "📄"],
  ["CON.txt", "_CON.txt"],
  [`${"é".repeat(4_096)}.pdf`, `${"é".repeat(125)}.pdf`],
  [`${"x".repeat(4_096)}.pdf`, `${"x".repeat(146)}.pdf`],
  [null, "file"],
  ["...", "file"],
])("%j is saved as %j", (name, saved) => {
  expect(savedAs(name)).toBe(saved);
});

test("readers that know ASCII alone are told a name without what they might decode", () => {
  const headers = attachmentHeaders({ name: "é%.pdf", contentType: null, sizeBytes: null });
  expect(headers).toMatchObject({
    "content-type": "application/octet-stream",
    "content-disposition": `attachment; filename="__.pdf"; filename*=UTF-8''%C3%A9%25.pdf`,
  });
  expect(headers).not.toHaveProperty("content-length");
});
