import { expect, test } from "@jest/globals";
import { type CpuProfile, flameGraphSvg, framesOf, widestFrames } from "./flame-graph.ts";

const frame = (functionName: string, url = "", lineNumber = 0) => ({
  functionName,
  url,
  lineNumber,
});
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame("(root)"), children: [2, 3, 6] },
    { id: 2, callFrame: frame("(idle)") },
    {
      id: 3,
      callFrame: frame("main", "file:///home/x/dist/src/jobs/pool.js", 9),
      children: [4, 5],
    },
    { id: 4, callFrame: frame("write", "node:net", 1) },
    { id: 5, callFrame: frame("<parse>", "file:///home/x/node_modules/pg/lib/a.js", 2) },
    { id: 6, callFrame: frame("", "node:net", 4), children: [7] },
    { id: 7, callFrame: frame("write", "node:net", 1) },
  ],
  samples: [2, 3, 4, 4, 5, 7],
  timeDeltas: [1_000, 100, 200, 200, 400, 100],
};

test("what waited is no work; a function's time is summed over its callers", () => {
  const root = framesOf(profile);
  expect(root.totalUs).toBe(1_000);
  expect(widestFrames(root, 2)).toEqual([
    { name: "write node:net:2", share: 0.5 },
    { name: "<parse> pg/lib/a.js:3", share: 0.4 },
  ]);
  expect(root.callees.get("main src/jobs/pool.js:10")?.totalUs).toBe(900);
});

test("the picture is well-formed, names every frame, and tells nothing of the machine's folders", () => {
  const svg = flameGraphSvg(framesOf(profile), "web & co");
  expect(svg).toContain("web &amp; co");
  expect(svg).toContain("&lt;parse&gt; pg/lib/a.js:3: 40.0 %");
  expect(svg).not.toContain("/home/x");
  expect(svg.match(/<g>/g)).toHaveLength(6);
});
