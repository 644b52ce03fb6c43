import { describe, expect, test } from "@jest/globals";
import {
  findStartToken,
  holdsStartToken,
  newStartToken,
  withoutStartTokens,
} from "./start-token.ts";

describe("the token of a person's link", () => {
  test("fits a deep link, and is another each time", () => {
    const tokens = Array.from({ length: 50 }, newStartToken);
    expect(new Set(tokens).size).toBe(50);
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{47}$/);
  });

  test("is known by its looks, whole or cut short; other arguments are none", () => {
    const token = newStartToken();
    expect(findStartToken(token)).toBe(token);
    expect(findStartToken(token.slice(0, 20))).toBe(token.slice(0, 20));
    for (const other of ["", "promo", "HGL_x", ` ${token}`]) {
      expect(findStartToken(other)).toBeNull();
    }
  });

  test("is taken out of any text, and found in bytes", () => {
    const token = newStartToken();
    const text = `see https://t.me/bot?start=${token}, or ${token.slice(0, 30)}!`;
    expect(withoutStartTokens(text)).toBe("see https://t.me/bot?start=…, or …!");
    expect(withoutStartTokens("hgl_ alone")).toBe("hgl_ alone");
    expect(holdsStartToken(Buffer.from(JSON.stringify({ text })))).toBe(true);
    expect(holdsStartToken(Buffer.from('{"text":"hello"}'))).toBe(false);
  });
});
