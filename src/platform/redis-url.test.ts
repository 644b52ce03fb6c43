import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { parseRedisUrl } from "./redis-url.ts";

describe("parseRedisUrl", () => {
  test("one server", () => {
    expect(parseRedisUrl("redis://localhost")).toEqual({
      kind: "single",
      host: "localhost",
      port: 6379,
      db: 0,
      tls: false,
    });
    expect(parseRedisUrl("rediss://me:p%40ss@[::1]:7000/3")).toEqual({
      kind: "single",
      host: "::1",
      port: 7000,
      db: 3,
      username: "me",
      password: "p@ss",
      tls: true,
    });
  });

  test("sentinels and the master they watch", () => {
    expect(parseRedisUrl("redis+sentinel://:pw@s1:26380,s2/main/4?sentinelPassword=x%26y")).toEqual(
      {
        kind: "sentinel",
        sentinels: [
          { host: "s1", port: 26380 },
          { host: "s2", port: 26379 },
        ],
        masterName: "main",
        db: 4,
        password: "pw",
        sentinelPassword: "x&y",
        tls: false,
      },
    );
  });

  test("a cluster", () => {
    expect(parseRedisUrl("rediss+cluster://h1:7001,h2:7002")).toEqual({
      kind: "cluster",
      nodes: [
        { host: "h1", port: 7001 },
        { host: "h2", port: 7002 },
      ],
      tls: true,
    });
  });

  test("any password survives when it is escaped", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (password) => {
        const url = `redis://:${encodeURIComponent(password)}@h`;
        expect(parseRedisUrl(url)).toMatchObject({ password });
      }),
    );
  });
});
