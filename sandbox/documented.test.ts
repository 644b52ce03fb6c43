import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";

const here = new URL(".", import.meta.url);
const page = readFileSync(new URL("../docs/sandbox.md", here), "utf8");
const tests = new Map(
  readdirSync(here)
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => [name.replace(".test.ts", ""), readFileSync(new URL(name, here), "utf8")]),
);

describe("docs/sandbox.md", () => {
  test("names only tests that there are", () => {
    const named = [...page.matchAll(/`([\w-]+) › ([^`]+)`/g)];
    expect(named.length).toBeGreaterThan(50);
    const missing = named
      .filter(([, file = "", name = ""]) => !tests.get(file)?.includes(`"${name}"`))
      .map(([whole]) => whole);
    expect(missing).toEqual([]);
  });

  test("names every call of the control API", () => {
    const source = readFileSync(new URL("control-api.ts", here), "utf8");
    const calls = [
      ...[...source.matchAll(/api\.(get|delete|post)\("([^"]+)"/g)].map(
        ([, method = "", path = ""]) => `${method.toUpperCase()} ${path}`,
      ),
      ...[...source.matchAll(/ post\("([^"]+)"/g)].map(([, path]) => `POST ${path}`),
    ];
    expect(calls.length).toBeGreaterThan(30);
    expect(calls.filter((each) => !page.includes(`\`${each}\``))).toEqual([]);
  });
});
