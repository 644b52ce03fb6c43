import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { afterWord, type Given, missing, refusalOf, type Standing } from "./judge.ts";

const standing = (more: Partial<Standing> = {}): Standing => ({
  state: "waiting",
  isDue: false,
  needed: 1,
  author: "key:author",
  personIds: ["ada", "ben"],
  version: "v1",
  given: [],
  ...more,
});
const by = (approver: string, version = "v1") => ({ approver, version });
const approved = (approver: string, version = "v1"): Given => ({
  approver,
  version,
  verdict: "approved",
});

describe("who may say something", () => {
  test.each<[string, Partial<Standing>, ReturnType<typeof by>, string | null]>([
    ["an approver of the rule", {}, by("person:ada"), null],
    ["a key, by its scope", {}, by("key:other"), null],
    ["the author", {}, by("key:author"), "author"],
    ["the author, known as a person", { author: "person:ada" }, by("person:ada"), "author"],
    ["somebody else", {}, by("person:eve"), "not-approver"],
    ["once it is decided", { state: "approved" }, by("person:ada"), "over"],
    ["once it is cancelled", { state: "cancelled" }, by("person:ada"), "over"],
    ["too late", { isDue: true }, by("person:ada"), "expired"],
    ["too late, and written down", { state: "expired" }, by("person:ada"), "expired"],
    ["of another text", {}, by("person:ada", "v0"), "changed"],
    ["twice", { given: [approved("person:ada")] }, by("person:ada"), "again"],
    ["of a new text", { given: [approved("person:ada", "v0")] }, by("person:ada"), null],
  ])("%s", (_, state, act, refused) => {
    expect(refusalOf(standing(state), act)).toBe(refused);
  });
});

test("an edit ends earlier approvals, and is its editor's of the new text", () => {
  const two = standing({ needed: 2, given: [approved("person:ada")] });
  const edited = afterWord(two, { approver: "person:ben", version: "v2", verdict: "edited" });
  expect([edited.state, missing(edited)]).toEqual(["waiting", 1]);
  expect(refusalOf(edited, by("person:ben", "v2"))).toBe("again");
  expect(refusalOf(edited, by("person:ada", "v1"))).toBe("changed");
  expect(afterWord(edited, approved("person:ada", "v2")).state).toBe("approved");
});

/** Whatever is said by whomever, in whatever order. */
test("what is approved was approved as it is by as many others as needed; what is over stays so", () => {
  const approvers = ["key:author", "key:other", "person:ada", "person:ben", "person:eve"];
  const words = fc.array(
    fc.record({
      approver: fc.constantFrom(...approvers),
      verdict: fc.constantFrom("approved", "approved", "edited", "rejected"),
      version: fc.constantFrom("v1", "v2", "v3"),
      next: fc.constantFrom("v1", "v2", "v3"),
    }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(fc.constantFrom(1, 2), words, (needed, said) => {
      let now = standing({ needed });
      for (const { approver, verdict, version, next } of said) {
        if (refusalOf(now, { approver, version }) !== null) continue;
        expect(now.state).toBe("waiting");
        now = afterWord(now, {
          approver,
          verdict: verdict as Given["verdict"],
          version: verdict === "edited" ? next : version,
        });
      }
      const counted = now.given.filter(
        ({ verdict, version }) => verdict !== "rejected" && version === now.version,
      );
      const others = new Set(counted.map(({ approver }) => approver));
      expect(others.has("key:author") || others.has("person:eve")).toBe(false);
      if (now.state === "approved") expect(others.size).toBeGreaterThanOrEqual(needed);
    }),
  );
});
