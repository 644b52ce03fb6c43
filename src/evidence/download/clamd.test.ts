import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { type ClamdServer, startClamd } from "../../../test/support/clamd-server.ts";
import { createClamd, verdictOf } from "./clamd.ts";
import { ScannerAway } from "./scanner.ts";

let clamd: ClamdServer;
beforeAll(async () => {
  clamd = await startClamd();
});
afterAll(() => clamd.close());
beforeEach(() => {
  clamd.mode = "answers";
  clamd.maxBytes = Number.POSITIVE_INFINITY;
});

async function* stream(content: Buffer) {
  for (let at = 0; at < content.length; at += 150_000) yield content.subarray(at, at + 150_000);
}

const scan = (content: Buffer, signal = new AbortController().signal) =>
  createClamd({ host: "127.0.0.1", port: clamd.port }, { stallMs: 200, answerMs: 200 }).scan(
    stream(content),
    signal,
  );

test("it sees every byte, and its word is the verdict", async () => {
  const large = Buffer.alloc(1_000_003, "evidence ");
  expect(await scan(large)).toEqual({ is: "clean" });
  expect(clamd.seen.at(-1)?.equals(large)).toBe(true);
  const harmful = Buffer.concat([large, Buffer.from("EICAR")]);
  expect(await scan(harmful)).toEqual({ is: "infected", finding: "Win.Test.EICAR_HDB-1" });
});

test("a file that it cuts off is not looked at, which is no verdict in its favour", async () => {
  clamd.maxBytes = 100_000;
  expect(await scan(Buffer.alloc(120_000))).toMatchObject({ is: "unlooked" });
});

test.each(["hangs-up", "is-silent", "fails"] as const)("one that %s is away", async (mode) => {
  clamd.mode = mode;
  await expect(scan(Buffer.alloc(3_000_000))).rejects.toThrow(ScannerAway);
  await expect(scan(Buffer.from("short"))).rejects.toThrow(ScannerAway);
});

test("nobody there is away, too; and whoever waits can end it", async () => {
  const nobody = createClamd({ host: "127.0.0.1", port: 1 });
  const { signal } = new AbortController();
  await expect(nobody.scan(stream(Buffer.from("x")), signal)).rejects.toThrow(ScannerAway);
  clamd.mode = "is-silent";
  const ended = scan(Buffer.alloc(10), AbortSignal.timeout(20));
  await expect(ended).rejects.toThrow(ScannerAway);
});

test("only its own words are believed", () => {
  expect(verdictOf("OK\0")).toEqual({ is: "clean" });
  for (const answer of ["", "\0", "stream: NOT OK", "OKAY", "stream: OK FOUND ERROR"]) {
    expect(() => verdictOf(answer)).toThrow(ScannerAway);
  }
});
