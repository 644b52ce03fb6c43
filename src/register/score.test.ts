import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { CONTROL_STATUSES } from "./kinds.ts";
import { type ControlStatus, MET_POINTS, requirementPoints, riskLevel, scoreOf } from "./score.ts";

/** A framework as its requirements' controls. */
type Framework = ControlStatus[][];
const framework: fc.Arbitrary<Framework> = fc.array(
  fc.array(fc.constantFrom(...CONTROL_STATUSES), { maxLength: 6 }),
  { maxLength: 8 },
);
const score = (requirements: Framework) =>
  scoreOf({
    requirements: requirements.length,
    points: requirements.reduce((sum, controls) => sum + requirementPoints(controls), 0),
  });

describe("a score", () => {
  test.each<[string, Framework, number | null]>([
    ["no requirements", [], null],
    ["a requirement without controls", [[]], 0],
    ["a control that is active", [["active"]], 100],
    ["one that is degraded", [["degraded"]], 50],
    ["those that are not in place", [["to_do", "in_progress"]], 0],
    ["one of two requirements", [["active"], []], 50],
    ["the mean of a requirement's controls", [["active", "active", "to_do"]], 66],
    ["requirements count alike, few controls or many", [["active"], ["to_do", "to_do"]], 50],
    ["nothing but deprecated ones", [["deprecated"]], 0],
    [
      "almost everything is not everything",
      [...Array.from({ length: 199 }, (): ControlStatus[] => ["active"]), ["degraded"]],
      99,
    ],
  ])("%s", (_what, requirements, expected) => {
    expect(score(requirements)).toBe(expected);
  });

  test("is a whole number from 0 to 100, and 100 only of what is met altogether", () => {
    fc.assert(
      fc.property(framework, (requirements) => {
        const value = score(requirements);
        if (value === null) return requirements.length === 0;
        const all = requirements.every((controls) => requirementPoints(controls) === MET_POINTS);
        return Number.isInteger(value) && value >= 0 && value <= 100 && (value === 100) === all;
      }),
    );
  });

  test("never falls when a control becomes active, whatever it was", () => {
    fc.assert(
      fc.property(framework, fc.nat(), fc.nat(), (requirements, r, c) => {
        const controls = requirements[r % Math.max(1, requirements.length)] ?? [];
        fc.pre(controls.length > 0);
        const before = score(requirements) ?? 0;
        controls[c % controls.length] = "active";
        return (score(requirements) ?? 0) >= before;
      }),
    );
  });

  test("is the same without the deprecated ones", () => {
    fc.assert(
      fc.property(framework, (requirements) => {
        const live = requirements.map((controls) => controls.filter((one) => one !== "deprecated"));
        return score(requirements) === score(live);
      }),
    );
  });
});

test.each([
  [25, "critical"],
  [20, "critical"],
  [16, "high"],
  [12, "high"],
  [10, "medium"],
  [6, "medium"],
  [5, "low"],
  [1, "low"],
])("a risk of %i is %s", (of, level) => {
  expect(riskLevel(of)).toBe(level);
});
