import { describe, expect, test } from "@jest/globals";
import { equalSecrets, matchesAnyHash, newApiKey, randomToken, sha256 } from "./secrets.ts";

describe("secrets", () => {
  test("tokens are 256 bits in the characters that Telegram allows for a webhook secret", () => {
    const tokens = new Set(Array.from({ length: 100 }, randomToken));
    expect(tokens.size).toBe(100);
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(newApiKey()).toMatch(/^hgk_[A-Za-z0-9_-]{43}$/);
  });

  test("compares strings of any length", () => {
    expect(equalSecrets("abc", "abc")).toBe(true);
    expect(equalSecrets("abc", "abd")).toBe(false);
    expect(equalSecrets("abc", "ab")).toBe(false);
    expect(equalSecrets("", "")).toBe(true);
  });

  test("a hash is matched by what made it, and a broken hash by nothing", () => {
    const hash = sha256("abc");
    expect(hash.toString("hex")).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    expect(matchesAnyHash("abc", [sha256("another"), hash])).toBe(true);
    expect(matchesAnyHash("abd", [sha256("another"), hash])).toBe(false);
    expect(matchesAnyHash("abc", [Buffer.alloc(0)])).toBe(false);
    expect(matchesAnyHash("abc", [])).toBe(false);
  });
});
