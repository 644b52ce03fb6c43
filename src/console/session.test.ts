import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { isSameOrigin } from "./same-origin.ts";
import { cookieOf, newSession, SESSION_MS, sessionEndMs, sessionKeyOf } from "./session.ts";

const NOW = 1_790_000_000_000;
const key = sessionKeyOf("the-token");

describe("a session", () => {
  test("is good until it ends, in every process that has the token, and never after", () => {
    const session = newSession(key, NOW);
    expect(sessionEndMs(sessionKeyOf("the-token"), session, NOW + 1)).toBe(NOW + SESSION_MS);
    expect(sessionEndMs(key, session, NOW + SESSION_MS - 1)).toBe(NOW + SESSION_MS);
    expect(sessionEndMs(key, session, NOW + SESSION_MS)).toBeNull();
  });

  test("ends when the token is changed, or the clock goes back before it began", () => {
    const session = newSession(key, NOW);
    expect(sessionEndMs(sessionKeyOf("another"), session, NOW)).toBeNull();
    expect(sessionEndMs(key, session, NOW - 60_000)).toBeNull();
  });

  test("tells nothing of the token, and is another each time", () => {
    const sessions = Array.from({ length: 20 }, () => newSession(key, NOW));
    expect(new Set(sessions).size).toBe(20);
    expect(sessions.join()).not.toContain("the-token");
  });

  test("cannot be made up or changed", () => {
    expect(sessionEndMs(key, undefined, NOW)).toBeNull();
    const good = newSession(key, NOW);
    fc.assert(
      fc.property(
        fc.nat(good.length - 1),
        fc.constantFrom(..."abcXYZ019._-~ "),
        (at, character) => {
          const changed = good.slice(0, at) + character + good.slice(at + 1);
          fc.pre(changed !== good);
          expect(sessionEndMs(key, changed, NOW)).toBeNull();
        },
      ),
    );
    fc.assert(fc.property(fc.string(), (text) => sessionEndMs(key, text, NOW) === null));
  });
});

test("a cookie is found by its whole name, wherever it stands", () => {
  expect(cookieOf("a=1; heliograph_console=x.y; b=2", "heliograph_console")).toBe("x.y");
  expect(cookieOf("xheliograph_console=1", "heliograph_console")).toBeUndefined();
  expect(cookieOf(undefined, "heliograph_console")).toBeUndefined();
  expect(cookieOf(";;=;a", "heliograph_console")).toBeUndefined();
});

test("only our own pages count as the same origin; who says nothing does not", () => {
  const host = "console.example:3000";
  expect(isSameOrigin({ host, "sec-fetch-site": "same-origin" })).toBe(true);
  for (const site of ["same-site", "cross-site", "none"]) {
    const headers = { host, origin: `https://${host}`, "sec-fetch-site": site };
    expect(isSameOrigin(headers)).toBe(false);
  }
  expect(isSameOrigin({ host, origin: `https://${host}` })).toBe(true);
  expect(isSameOrigin({ host, origin: "https://console.example" })).toBe(false);
  expect(isSameOrigin({ host, origin: "https://evil.example" })).toBe(false);
  expect(isSameOrigin({ host, origin: "null" })).toBe(false);
  expect(isSameOrigin({ host })).toBe(false);
});
