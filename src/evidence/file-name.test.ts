import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../../test/support/property.ts";
import { keptName } from "./file-name.ts";

const DOCUMENT = { kind: "document", uniqueId: "AgADq-7_x", contentType: "application/pdf" };
const PHOTO = { kind: "photo", uniqueId: "AQADBAADq", contentType: null };

test.each([
  ["report.pdf", "report.pdf"],
  ["Quarterly report (final) №3 — été.pdf", "Quarterly report (final) №3 — été.pdf"],
  ["../../etc/passwd", "passwd"],
  ["C:\\Users\\ada\\form.docx", "form.docx"],
  ["form.pdf/", "document_AgADq-7_x.pdf"],
  ["a\0b\r\nc.pdf", "abc.pdf"],
  ["evil\u202Efdp.exe", "evilfdp.exe"],
  ["\u2066hidden\u2069\u200F.txt", "hidden.txt"],
  ["  ..  .hidden.txt. . ", "hidden.txt"],
  ["...", "document_AgADq-7_x.pdf"],
  ["", "document_AgADq-7_x.pdf"],
  ['a<b>c:d"e|f?g*h.txt', "a_b_c_d_e_f_g_h.txt"],
  ["con", "_con"],
  ["NUL.tar.gz", "_NUL.tar.gz"],
  ["com¹.txt", "_com¹.txt"],
  ["console.log", "console.log"],
  ["👩‍👩‍👧‍👦 signed.jpg", "👩‍👩‍👧‍👦 signed.jpg"],
  ["invoice\u200D.pdf\u200D", "invoice.pdf"],
  ["half \ud83d.png", "half .png"],
])("%j becomes %j", (name, safe) => {
  expect(keptName(name, DOCUMENT)).toBe(safe);
});

test("a photo is named after its unique id, and what has no extension gets none", () => {
  expect(keptName(null, PHOTO)).toBe("photo_AQADBAADq.jpg");
  expect(keptName("", { ...PHOTO, contentType: "image/png" })).toBe("photo_AQADBAADq.png");
  const hostile = { kind: "../x", uniqueId: "../../y\0", contentType: "nonsense/none" };
  expect(keptName(null, hostile)).toBe("x_y");
  expect(keptName(null, { kind: "", uniqueId: null, contentType: null })).toBe("file");
});

test("a name of 4 KB is cut between characters, and keeps its extension", () => {
  const long = keptName(`${"🎉é".repeat(700)}.PDF`, DOCUMENT);
  expect(Buffer.byteLength(long)).toBeLessThanOrEqual(255);
  expect(Buffer.byteLength(long)).toBeGreaterThan(240);
  expect(long).toMatch(/^(?:🎉é)+🎉?\.PDF$/u);
  expect(keptName(`x.${"y".repeat(4_000)}`, DOCUMENT)).toHaveLength(255);
});

describe("whatever it is called", () => {
  const part = fc.constantFrom(
    ...["..", "/", "\\", "\0", "\u202E", "\u200D", " ", ".", "nul", "con", "é", "e\u0301", "🎉"],
    ...["\ud83d", "\ude00", "\r\n", ":", "*", "%2f", "’", "x".repeat(300), ".pdf"],
  );
  const hostile = fc.oneof(
    fc.string({ unit: "binary", maxLength: 600 }),
    fc.array(part, { maxLength: 30 }).map((parts) => parts.join("")),
  );

  test("it is one harmless part of a path, and stays what it became", () => {
    fc.assert(
      fc.property(hostile, fc.constantFrom(DOCUMENT, PHOTO), (name, file) => {
        const safe = keptName(name, file);
        expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(255);
        expect(safe).toMatch(/^[^/\\<>:"|?*]+$/u);
        expect(safe).not.toMatch(/(?!\u200D)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
        expect(safe).not.toMatch(/^[. ]|[. ]$/);
        expect(safe).not.toMatch(/^(?:con|nul)\s*(?:\.|$)/i);
        // As Postgres stores it, and gives it back.
        expect(Buffer.from(safe).toString()).toBe(safe);
        expect(keptName(safe, file)).toBe(safe);
      }),
      { numRuns: runs(500) },
    );
  });
});
