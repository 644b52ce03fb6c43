/**
 * The last lines of a test run: what was skipped and why, then the counts alone.
 *
 * `results` is jest's own JSON, undefined when jest came to none; `skips` are the `{file, reason}`
 * that test/support/requirements.ts wrote down. A file that could not even be loaded counts as a
 * failed test: "0 failed" under it would be a lie.
 */
export function summarize({ results, skips, requireAll }) {
  if (results === undefined) {
    return { ok: false, lines: ["jest ended without results", "0 passed, 1 failed"] };
  }
  const lines = [];
  const reasons = [...new Set(skips.map(({ file, reason }) => `${file}: ${reason}`))].sort();
  for (const reason of reasons) lines.push(`skipped ${reason}`);
  const pending = results.numPendingTests + results.numTodoTests;
  if (pending > 0) lines.push(`skipped ${pending} ${pending === 1 ? "test" : "tests"} in all`);

  const skipped = reasons.length > 0 || pending > 0;
  if (skipped && requireAll) lines.push("REQUIRE_ALL=1: a skip is a failure");

  let failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  if (skipped && requireAll && failed === 0) failed = Math.max(reasons.length, pending);
  lines.push(`${results.numPassedTests} passed, ${failed} failed`);
  return { ok: failed === 0 && results.success, lines };
}
