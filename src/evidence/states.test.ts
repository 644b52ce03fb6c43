import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import {
  afterEvent,
  EVIDENCE_EVENTS,
  EVIDENCE_STATES,
  type EvidenceEvent,
  placeOfFile,
  type Standing,
} from "./states.ts";

const BEGINNINGS: Standing[] = [
  { state: "requested", revision: 0, approvedRevision: null },
  { state: "draft", revision: 0, approvedRevision: null },
];

/** What happened, of which refused events are nothing. */
const run = (beginning: Standing, events: readonly EvidenceEvent[]) =>
  events.reduce((standing, event) => afterEvent(standing, event) ?? standing, beginning);

const anyRun = fc.record({
  beginning: fc.constantFrom(...BEGINNINGS),
  events: fc.array(fc.constantFrom(...EVIDENCE_EVENTS), { maxLength: 30 }),
});

describe("whatever happens in whatever order", () => {
  test("the state goes with what was handed in and with what counts", () => {
    fc.assert(
      fc.property(anyRun, ({ beginning, events }) => {
        const { state, revision, approvedRevision } = run(beginning, events);
        expect(EVIDENCE_STATES).toContain(state);
        if (state === "approved") expect(approvedRevision).toBe(revision);
        if (state === "expired") expect(approvedRevision).toBeNull();
        if (state === "requested") expect(revision).toBe(0);
        if (!["requested", "draft"].includes(state)) expect(revision).toBeGreaterThan(0);
        expect(approvedRevision ?? 0).toBeLessThanOrEqual(revision);
      }),
    );
  });

  test("what was decided is never changed by a file: the next revision is", () => {
    fc.assert(
      fc.property(anyRun, ({ beginning, events }) => {
        const standing = run(beginning, events);
        const place = placeOfFile(standing);
        const isOpen = standing.state === "draft" && standing.revision > 0;
        expect(place.revision).toBe(standing.revision + (isOpen ? 0 : 1));
        expect(place.how === "renumbers").toBe(standing.state === "in_review");
        const after = afterEvent(standing, "file");
        expect(after).toEqual({ ...standing, state: "draft", revision: place.revision });
      }),
    );
  });
});

test.each<[string, EvidenceEvent[], Partial<Standing>]>([
  ["asked for, handed in, approved", ["file", "submit", "approve"], { state: "approved" }],
  [
    "a file that comes while it is looked at makes it a draft of the next number",
    ["file", "submit", "file", "approve"],
    { state: "draft", revision: 2, approvedRevision: null },
  ],
  [
    "the approved one counts while the next is made, and when that is rejected",
    ["file", "submit", "approve", "file", "submit", "reject"],
    { state: "rejected", revision: 2, approvedRevision: 1 },
  ],
  [
    "its last day ends while the next is made",
    ["file", "submit", "approve", "file", "expire"],
    { state: "draft", revision: 2, approvedRevision: null },
  ],
  [
    "expired, and handed in again",
    ["file", "submit", "approve", "expire", "file"],
    { revision: 2 },
  ],
  ["nothing to hand over", ["submit", "approve", "expire"], { state: "requested", revision: 0 }],
  [
    "rejected is not submitted again as it is",
    ["file", "submit", "reject", "submit"],
    { state: "rejected" },
  ],
])("%s", (_, events, standing) => {
  const [requested] = BEGINNINGS;
  if (requested === undefined) throw new Error("no beginning");
  expect(run(requested, events)).toMatchObject(standing);
});
