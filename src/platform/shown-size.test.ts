import { expect, test } from "@jest/globals";
import { languageOf } from "./language.ts";
import { exactSize, shownSize } from "./shown-size.ts";

test("sizes as people read them, by 1,024, and never more than they are", () => {
  const sizes = [0, 1, 1_023, 1_024, 1_536, 20 * 2 ** 20, 20 * 2 ** 20 - 1, 2_147_483_648, 2 ** 50];
  expect(sizes.map((bytes) => shownSize(bytes))).toEqual([
    "0 bytes",
    "1 byte",
    "1023 bytes",
    "1 KB",
    "1.5 KB",
    "20 MB",
    "19.9 MB",
    "2 GB",
    "1024 TB",
  ]);
  expect([1, 1_536, 2_147_483_648].map((bytes) => shownSize(bytes, "de"))).toEqual([
    "1 Byte",
    "1,5 KB",
    "2 GB",
  ]);
  expect([exactSize(1_234_567), exactSize(1_234_567, "de")]).toEqual([
    "1234567 bytes",
    "1234567 Byte",
  ]);
});

test("German for those whose app speaks it, wherever they are; English for everybody else", () => {
  const german = ["de", "de-AT", "de_CH", "DE"];
  expect(german.map(languageOf)).toEqual(german.map(() => "de"));
  const others = [null, "", "en", "en-GB", "fr", "den", "nds-DE", "x-de", "toString"];
  expect(others.map(languageOf)).toEqual(others.map(() => "en"));
});
