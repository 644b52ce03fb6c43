import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { hydrateSymlinks } from "./postgres-binaries.ts";

test("makes the links that npm's install script would have made, and leaves those that exist", async () => {
  const root = mkdtempSync(path.join(tmpdir(), "heliograph-links-"));
  try {
    mkdirSync(path.join(root, "native", "lib"), { recursive: true });
    writeFileSync(path.join(root, "native", "lib", "libpq.so.5.18"), "library");
    const links = ["libpq.so", "libpq.so.5"].map((name) => ({
      source: "native/lib/libpq.so.5.18",
      target: `native/lib/${name}`,
    }));
    writeFileSync(path.join(root, "native", "pg-symlinks.json"), JSON.stringify(links));
    await Promise.all([hydrateSymlinks(root), hydrateSymlinks(root)]);
    await hydrateSymlinks(root);
    for (const { target } of links) {
      expect(readFileSync(path.join(root, target), "utf8")).toBe("library");
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
