import { expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { KEY_SCOPES, type KeyGrant, refusedGrant } from "./key-scopes.ts";

const grant: fc.Arbitrary<KeyGrant> = fc.record({
  scopes: fc.subarray([...KEY_SCOPES], { minLength: 1 }),
  expiresAt: fc.option(fc.integer({ min: 1, max: 5 }).map((ms) => new Date(ms))),
});

const endMs = ({ expiresAt }: KeyGrant) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;

test("down any line of keys, none can do more, or lives longer, than the first", () => {
  fc.assert(
    fc.property(fc.array(grant, { minLength: 2, maxLength: 6 }), ([first, ...wanted]) => {
      if (first === undefined) return;
      let holder = first;
      for (const next of wanted) {
        const isRefused = refusedGrant(holder, next) !== null;
        const isMore =
          next.scopes.some((scope) => !holder.scopes.includes(scope)) ||
          endMs(next) > endMs(holder);
        expect(isRefused).toBe(isMore);
        if (!isRefused) holder = next;
      }
      expect(holder.scopes.every((scope) => first.scopes.includes(scope))).toBe(true);
      expect(endMs(holder)).toBeLessThanOrEqual(endMs(first));
    }),
  );
});
