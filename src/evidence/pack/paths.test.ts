import { expect, test } from "@jest/globals";
import { pathInPack } from "./paths.ts";

test.each([
  ["report.pdf", "report.pdf"],
  ["../..\\Prüfung 1.pdf", "Pru_fung_1.pdf"],
  ["....", "file"],
  [`${"a".repeat(90)}.pdf`, `${"a".repeat(80)}.pdf`],
  ["a name that is cut off behind a dot", "a_name_that_is_cut_off_behind_a_dot"],
  [`${"a".repeat(79)}.${"b".repeat(30)}`, "a".repeat(79)],
  [`${"a".repeat(79)}.${"b".repeat(30)}.pdf`, `${"a".repeat(79)}.pdf`],
])("a file is called for every system: %s", (name, called) => {
  expect(pathInPack("EV-1", 2, 0, name)).toBe(`evidence/EV-1/r2/001-${called}`);
});
