import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { formatEncryptionKeys, parseEncryptionKeys } from "./encryption-keys.ts";
import { createKeyring, SEAL_OVERHEAD_BYTES, SealError, type SealPlace } from "./keyring.ts";

const v1 = { version: 1, key: Buffer.alloc(32, 1) };
const v2 = { version: 2, key: Buffer.alloc(32, 2) };
const keyring = createKeyring([v2, v1]);
const place: SealPlace = { workspaceId: "w1", table: "connectors", column: "bot_token", row: "c1" };
const part = fc.string({ maxLength: 12 });
const places = fc.record({ workspaceId: part, table: part, column: part, row: part });

describe("keyring", () => {
  test("gives back what was sealed, whatever it is", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), places, (bytes, where) => {
        const sealed = keyring.seal(Buffer.from(bytes), where);
        expect(sealed.length).toBe(bytes.length + SEAL_OVERHEAD_BYTES);
        expect(keyring.open(sealed, where)).toEqual(Buffer.from(bytes));
      }),
    );
    expect(keyring.open(keyring.seal("ключ 🔑", place), place).toString()).toBe("ключ 🔑");
  });

  test("the same secret sealed twice looks different", () => {
    expect(keyring.seal("secret", place)).not.toEqual(keyring.seal("secret", place));
  });

  test("a change of any bit of any byte keeps it shut", () => {
    const sealed = keyring.seal("secret", place);
    for (let index = 0; index < sealed.length; index++) {
      for (const bit of [1, 128]) {
        const altered = Buffer.from(sealed);
        altered.writeUInt8(altered.readUInt8(index) ^ bit, index);
        expect(() => keyring.open(altered, place)).toThrow(SealError);
      }
    }
  });

  test("cut or lengthened, it stays shut", () => {
    const sealed = keyring.seal("secret", place);
    for (let length = 0; length < sealed.length; length++) {
      expect(() => keyring.open(sealed.subarray(0, length), place)).toThrow(SealError);
    }
    expect(() => keyring.open(Buffer.concat([sealed, Buffer.of(0)]), place)).toThrow(SealError);
  });

  test("moved to any other place, it stays shut", () => {
    fc.assert(
      fc.property(places, places, (here, there) => {
        fc.pre(JSON.stringify(here) !== JSON.stringify(there));
        expect(() => keyring.open(keyring.seal("secret", here), there)).toThrow(SealError);
      }),
    );
    for (const part of ["workspaceId", "table", "column", "row"] as const) {
      const there = { ...place, [part]: "another" };
      expect(() => keyring.open(keyring.seal("secret", place), there)).toThrow(SealError);
    }
    // Parts that would read the same when merely strung together.
    const sealed = keyring.seal("secret", { ...place, column: "ab", row: "c" });
    expect(() => keyring.open(sealed, { ...place, column: "a", row: "bc" })).toThrow(SealError);
  });

  test("what an older key sealed opens as long as that key is in the ring", () => {
    const old = createKeyring([v1]).seal("secret", place);
    expect(keyring.currentVersion).toBe(2);
    expect(keyring.open(old, place).toString()).toBe("secret");
    expect(() => createKeyring([v2]).open(old, place)).toThrow(/key v1, which is not in/);
  });

  test("wrapped again, it opens with the newest key alone, and its content was not touched", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), places, (bytes, where) => {
        const old = createKeyring([v1]).seal(Buffer.from(bytes), where);
        const rewrapped = keyring.rewrap(old, where);
        expect(rewrapped && createKeyring([v2]).open(rewrapped, where)).toEqual(Buffer.from(bytes));
        expect(rewrapped?.length).toBe(old.length);
        expect(rewrapped?.subarray(-bytes.length - 28)).toEqual(old.subarray(-bytes.length - 28));
        expect(rewrapped && keyring.rewrap(rewrapped, where)).toBeNull();
      }),
    );
  });

  test("what does not open is not wrapped again", () => {
    const old = createKeyring([v1]).seal("secret", place);
    expect(() => keyring.rewrap(old, { ...place, row: "c2" })).toThrow(SealError);
    expect(() => createKeyring([v2]).rewrap(old, place)).toThrow(/key v1, which is not in/);
    expect(() => keyring.rewrap(Buffer.of(0), place)).toThrow(SealError);
    const altered = Buffer.from(old);
    altered.writeUInt8(altered.readUInt8(20) ^ 1, 20);
    expect(() => keyring.rewrap(altered, place)).toThrow(SealError);
  });

  test("a version that carries another key now does not open", () => {
    const sealed = keyring.seal("secret", place);
    const impostor = createKeyring([{ version: 2, key: Buffer.alloc(32, 9) }]);
    expect(() => impostor.open(sealed, place)).toThrow(SealError);
  });

  test("an error names the place and the version, nothing else", () => {
    const sealed = keyring.seal("top-secret", place);
    expect(() => keyring.open(sealed, { ...place, row: "c2" })).toThrow(
      "connectors.bot_token of row c2, workspace w1: does not open with key v2: altered, sealed for another place, or that key has been replaced",
    );
  });

  test("keys can be written down and read again", () => {
    expect(parseEncryptionKeys(formatEncryptionKeys([v2, v1]))).toEqual([v2, v1]);
  });
});
