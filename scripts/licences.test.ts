import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { isAllowed, productionLicences } from "./licences.mjs";

test.each([
  "MIT",
  "(MIT OR GPL-3.0)",
  "GPL-2.0-only OR Apache-2.0",
  "(MIT AND BSD-3-Clause)",
  "((MIT OR GPL-3.0) AND ISC)",
])("%s is allowed", (licence) => expect(isAllowed(licence)).toBe(true));

test.each([
  "GPL-3.0",
  "AGPL-3.0-only",
  "LGPL-2.1",
  "MPL-2.0",
  "MIT AND GPL-3.0",
  "(MIT OR ISC) AND (GPL-3.0)",
  "SEE LICENSE IN LICENSE.md",
  "UNLICENSED",
  "",
  undefined,
])("%s is not", (licence) => expect(isAllowed(licence)).toBe(false));

test("the whole production tree is looked at, and nothing of development", () => {
  const root = mkdtempSync(path.join(tmpdir(), "heliograph-licences-"));
  try {
    const packages = {
      "": { license: "MIT" },
      "node_modules/fine": { version: "1.0.0", license: "MIT" },
      "node_modules/fine/node_modules/@deep/aes": { version: "2.0.0" },
      "node_modules/tool": { version: "3.0.0", license: "GPL-3.0", dev: true },
    };
    writeFileSync(path.join(root, "package-lock.json"), JSON.stringify({ packages }));
    const deep = path.join(root, "node_modules/fine/node_modules/@deep/aes");
    mkdirSync(deep, { recursive: true });
    writeFileSync(path.join(deep, "package.json"), JSON.stringify({ license: "GPL-3.0" }));
    expect(productionLicences(root)).toEqual([
      { name: "fine", version: "1.0.0", licences: ["MIT"] },
      { name: "@deep/aes", version: "2.0.0", licences: ["GPL-3.0"] },
    ]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
