import { expect, test } from "@jest/globals";
import { parsePlace } from "./parse-place.ts";

const BERLIN = { latitude: 52.5, longitude: 13.25 };
const STANDING = { ...BERLIN, accuracyM: null, liveS: null, title: null, address: null };

test("a location and a venue are places", () => {
  expect(parsePlace({ location: BERLIN })).toEqual(STANDING);
  const live = { ...BERLIN, horizontal_accuracy: 12.5, live_period: 900, heading: 90 };
  expect(parsePlace({ location: live })).toEqual({ ...STANDING, accuracyM: 12.5, liveS: 900 });
  const venue = { location: BERLIN, title: "Depot\0", address: "Quay 1" };
  const expected = { ...STANDING, title: "Depot\uFFFD", address: "Quay 1" };
  expect(parsePlace({ location: BERLIN, venue })).toEqual(expected);
  expect(parsePlace({ venue })).toEqual(expected);
});

test.each([
  ["is missing", {}],
  ["is text", { location: "here" }],
  ["has half of it", { location: { latitude: 1 } }],
  ["has text", { location: { latitude: "1", longitude: "2" } }],
  ["has no number", { location: { latitude: Number.NaN, longitude: 2 } }],
  // JSON: 1e999
  ["is endless", { location: { latitude: 1, longitude: Number.POSITIVE_INFINITY } }],
  ["is beyond the pole", { location: { latitude: 90.000001, longitude: 2 } }],
  ["is once round the earth", { location: { latitude: 1, longitude: -180.5 } }],
])("what %s is none", (_, message) => expect(parsePlace(message)).toBeNull());

test("what is broken besides it is left out", () => {
  const broken = { ...BERLIN, horizontal_accuracy: -1, live_period: "900" };
  expect(parsePlace({ location: broken, venue: { title: 5, address: null } })).toEqual(STANDING);
});
