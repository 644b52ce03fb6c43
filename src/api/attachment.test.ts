import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { attachmentHeaders, safeFileName } from "./attachment.ts";

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
      expect(encoded).toBe(safeFileName(name));
      expect(ascii.length).toBeGreaterThan(0);
      expect([...encoded].length).toBeLessThanOrEqual(150);
      expect(encoded).not.toMatch(/[\p{C}\p{Zl}\p{Zp}/\\:*?"<>|]|^\.|^ | $|\.$/u);
      expect(headers["content-type"]).toMatch(/^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/);
    }),
    { numRuns: 500 },
  );
});

test("a name keeps what is harmless in it, and its ending where it is cut", () => {
  expect(safeFileName("Prüfbericht 2026 (final).pdf")).toBe("Prüfbericht 2026 (final).pdf");
  expect(safeFileName("../../etc/passwd")).toBe("_.._etc_passwd");
  expect(safeFileName("invoice\u202Efdp.exe")).toBe("invoicefdp.exe");
  expect(safeFileName(`${"長".repeat(4_096)}.pdf`)).toBe(`${"長".repeat(146)}.pdf`);
  expect(safeFileName(null)).toBe("file");
  const headers = attachmentHeaders({ name: "é%.pdf", contentType: null, sizeBytes: null });
  expect(headers).toMatchObject({
    "content-type": "application/octet-stream",
    "content-disposition": `attachment; filename="__.pdf"; filename*=UTF-8''%C3%A9%25.pdf`,
  });
  expect(headers).not.toHaveProperty("content-length");
});
