import { expect, test } from "@jest/globals";
import { type Request, type Response, Router } from "express";
import { fc, runs } from "../../test/support/property.ts";
import { keyOfUrl, WEBHOOK_PATH } from "./proof.ts";

/** The key that the route would be called with; undefined when it would not be. */
function keyOfRoute(url: string): string | undefined {
  let key: string | undefined;
  const router = Router();
  router.post(`${WEBHOOK_PATH}:key`, (request) => {
    key = String(request.params.key);
  });
  router({ method: "POST", url, headers: {} } as Request, {} as Response, () => {});
  return key;
}

const key = fc.stringMatching(/^[A-Za-z0-9_-]{16,128}$/);
const end = fc.constantFrom("", "/", "?a=b", "/?a=/b", "?", "#x", "/#x?y");

test("the key of a webhook's address as we made it is known before Express", () => {
  fc.assert(
    fc.property(key, end, (made, rest) => {
      expect(keyOfUrl(WEBHOOK_PATH + made + rest)).toBe(made);
    }),
  );
});

test("what is proven before Express is proven for the key that the route would be called with", () => {
  const part = fc.oneof(
    key,
    fc.constantFrom("/", "//", "..", ".", "%2f", "%41", "%", "?", "#", "a", ";", "\\", "\t", "@"),
  );
  const prefix = fc.constantFrom(WEBHOOK_PATH, "/Webhooks/telegram/", "/webhooks//telegram/", "/");
  fc.assert(
    fc.property(prefix, fc.array(part, { maxLength: 4 }), (start, parts) => {
      const url = start + parts.join("");
      const before = keyOfUrl(url);
      if (before !== undefined) expect(keyOfRoute(url)).toBe(before);
    }),
    { numRuns: runs(1_000) },
  );
});

test("other addresses are none of it", () => {
  for (const url of [undefined, "", "/", "*", "/v1/keys", WEBHOOK_PATH, `${WEBHOOK_PATH}a/b`]) {
    expect(keyOfUrl(url)).toBeUndefined();
  }
});
