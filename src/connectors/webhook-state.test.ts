import { describe, expect, test } from "@jest/globals";
import { driftOf, misdirected, type Pending, pendingAfter, safeError } from "./webhook-state.ts";

const MINUTE_MS = 60_000;

/** Looks a minute apart, from minute 1 on. */
const looks = (...counts: number[]): Pending =>
  counts.reduce<Pending | null>(
    (before, count, n) => pendingAfter(before, count, (n + 1) * MINUTE_MS),
    null,
  ) as Pending;

describe("waiting updates", () => {
  test("for a moment, or while others arrive, are no trouble", () => {
    expect(driftOf(looks(5, 5), null, 3 * MINUTE_MS)).toBeNull();
    expect(driftOf(looks(5, 9, 9, 9, 9), 4 * MINUTE_MS, 6 * MINUTE_MS)).toBeNull();
    expect(driftOf(looks(5, 9, 0, 9), 0, 5 * MINUTE_MS)).toBeNull();
  });

  test("for minutes while none arrives are one", () => {
    expect(driftOf(looks(5, 9, 9, 9), 30_000, 4 * MINUTE_MS)).toBe(
      "Telegram holds 9 updates, and none has arrived for 3 minutes.",
    );
    expect(driftOf(looks(1, 1, 1, 1), null, 4 * MINUTE_MS)).not.toBeNull();
  });

  test("that stay many are one even while others arrive", () => {
    const many = looks(...new Array<number>(11).fill(2_000));
    expect(driftOf(many, 11 * MINUTE_MS, 11 * MINUTE_MS)).toMatch(/faster than they are taken in/);
    expect(driftOf(many, 10 * MINUTE_MS, 10 * MINUTE_MS)).toBeNull();
  });
});

test("what Telegram says of an error is told without addresses, tokens and halves of characters", () => {
  const said = safeError(
    "Wrong response from https://hooks.example/webhooks/telegram/KEYKEYKEYKEYKEYKEY: 500 \ud800 " +
      "bot123456789:AAErVvTKzkuRyFwqoZyyJWGbGvzbYVp2nXk /webhooks/telegram/KEYKEYKEYKEYKEYKEY",
  );
  expect(said).toContain("Wrong response from");
  expect(said).not.toMatch(/KEYKEY|hooks\.example|AAErVv|[\ud800-\udfff]/);
  expect(safeError("x".repeat(5_000))).toHaveLength(300);
});

test("a webhook that is gone or points elsewhere is told; without one of ours there is nothing to tell", () => {
  const ours = "https://a.example/webhooks/telegram/k";
  expect(misdirected({ url: ours }, ours)).toBeNull();
  expect(misdirected({ url: "" }, ours)).toMatch(/no webhook/);
  expect(misdirected({ url: "https://evil.example/" }, ours)).toMatch(/another address/);
  expect(misdirected({ url: "" }, null)).toBeNull();
});
