import { describe, expect, test } from "@jest/globals";
import express from "express";
import { fc, runs } from "../../test/support/property.ts";
import { clientAddress, clientNetwork, networkOf, type TrustsProxy } from "./client-network.ts";

describe("the network of an address", () => {
  test.each([
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["::FFFF:c000:0207", "192.0.2.7"],
    ["0:0:0:0:0:ffff:192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:1:2::", "2001:db8:1:2::/64"],
    ["2001:0db8::2", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::192.0.2.7", "0:0:0:0::/64"],
    ["64:ff9b::192.0.2.7", "64:ff9b:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["", "unknown"],
    ["unknown", "unknown"],
    ["192.0.2", "unknown"],
    ["192.0.2.7.1", "unknown"],
    ["2001:db8", "unknown"],
    ["x".repeat(100_000), "unknown"],
  ])("%.60s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  test("of all addresses with the same first 64 bits is the same, however they are written", () => {
    const group = fc.integer({ min: 0, max: 0xffff });
    fc.assert(
      fc.property(
        fc.array(group, { minLength: 8, maxLength: 8 }),
        fc.array(group, { minLength: 4, maxLength: 4 }),
        fc.boolean(),
        ([first = 1, ...rest], host, padded) => {
          const groups = [first === 0 ? 1 : first, ...rest];
          const text = (all: number[]) =>
            all.map((each) => each.toString(16).padStart(padded ? 4 : 1, "0")).join(":");
          const other = [...groups.slice(0, 4), ...host];
          const canonical = new URL(`http://[${text(groups)}]`).hostname.slice(1, -1);
          expect(networkOf(text(other))).toBe(networkOf(text(groups)));
          expect(networkOf(canonical)).toBe(networkOf(text(groups)));
          const another = [...groups.slice(0, 3), (groups[3] ?? 0) ^ 1, ...groups.slice(4)];
          expect(networkOf(text(another))).not.toBe(networkOf(text(groups)));
        },
      ),
    );
  });
});

describe("the network of a request", () => {
  const socket = { remoteAddress: "::ffff:198.51.100.1" };
  test.each([
    ["a proxy's word", "203.0.113.9", "203.0.113.9"],
    ["with the client's port", "203.0.113.9:51234", "203.0.113.9"],
    ["in brackets", "[2001:db8::9]:443", "2001:db8:0:0::/64"],
    ["no proxy", undefined, "198.51.100.1"],
    ["nonsense", "unknown, 1.2.3.4", "198.51.100.1"],
    ["a name", "_hidden", "198.51.100.1"],
  ])("%s", (_name, ip, network) => {
    expect(clientNetwork({ ip, socket })).toBe(network);
  });

  test("is unknown once the connection is gone", () => {
    expect(clientNetwork({ ip: undefined, socket: {} })).toBe("unknown");
  });
});

describe("a client's address without Express", () => {
  test("is the one that Express would find", () => {
    const ipOf = Object.getOwnPropertyDescriptor(express.request, "ip")?.get;
    if (ipOf === undefined) throw new Error("Express has no request.ip any more");
    const address = fc.constantFrom(
      ...[
        "10.0.0.1",
        "10.9.8.7",
        "127.0.0.1",
        "::1",
        "::ffff:10.0.0.2",
        "192.0.2.1",
        "2001:db8::1",
      ],
      ...["198.51.100.7:443", "unknown", "", "_hidden"],
    );
    const separator = fc.constantFrom(",", ", ", "  ,", ",,");
    const forwardedFor = fc
      .array(fc.tuple(address, separator), { maxLength: 6 })
      .map((parts) => parts.flat().join(""));
    const trusted = fc.subarray(["loopback", "10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]);
    fc.assert(
      fc.property(address, fc.option(forwardedFor), trusted, (own, forwarded, proxies) => {
        const app = express().set("trust proxy", proxies);
        const request = {
          headers: forwarded === null ? {} : { "x-forwarded-for": forwarded },
          socket: { remoteAddress: own },
        };
        const trusts: TrustsProxy = app.get("trust proxy fn");
        expect(clientAddress(request, trusts)).toBe(ipOf.call({ app, ...request }));
      }),
      { numRuns: runs(500) },
    );
  });

  test("is unknown once the connection is gone", () => {
    expect(clientAddress({ headers: {}, socket: {} }, () => true)).toBeUndefined();
  });
});
