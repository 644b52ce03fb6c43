import { describe, expect, test } from "@jest/globals";
import { summarize } from "./test-summary.mjs";

const results = {
  success: true,
  numPassedTests: 12,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  numRuntimeErrorTestSuites: 0,
};
const skips = [
  { file: "src/a.test.ts", reason: "no chromium on PATH" },
  { file: "src/a.test.ts", reason: "no chromium on PATH" },
];

describe("summarize", () => {
  test("ends with the counts alone", () => {
    expect(summarize({ results, skips: [], requireAll: true })).toEqual({
      ok: true,
      lines: ["12 passed, 0 failed"],
    });
  });

  test("names every skip once, with its reason; it is a failure only where all is required", () => {
    const skipped = { results: { ...results, numPendingTests: 3 }, skips };
    expect(summarize({ ...skipped, requireAll: false })).toEqual({
      ok: true,
      lines: [
        "skipped src/a.test.ts: no chromium on PATH",
        "skipped 3 tests in all",
        "12 passed, 0 failed",
      ],
    });
    const required = summarize({ ...skipped, requireAll: true });
    expect(required.ok).toBe(false);
    expect(required.lines.at(-1)).toBe("12 passed, 3 failed");
  });

  test("a test.skip that nobody explained is a skip, too", () => {
    const pending = { ...results, numPendingTests: 1 };
    expect(summarize({ results: pending, skips: [], requireAll: true }).ok).toBe(false);
  });

  test("a file that could not be loaded is a failed test", () => {
    const broken = { ...results, success: false, numRuntimeErrorTestSuites: 1 };
    expect(summarize({ results: broken, skips: [], requireAll: false })).toEqual({
      ok: false,
      lines: ["12 passed, 1 failed"],
    });
  });

  test("no results are no success", () => {
    const summary = summarize({ results: undefined, skips: [], requireAll: false });
    expect(summary.ok).toBe(false);
    expect(summary.lines.at(-1)).toBe("0 passed, 1 failed");
  });
});
