import { expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { linksFile, placeFile, typeOfWritten, type WrittenPlace } from "./written-files.ts";

const of = { messageId: "17", sentAt: new Date(1_790_000_000_000) };
const place = (more: Partial<WrittenPlace> = {}): WrittenPlace => ({
  kind: "location",
  latitude: 52.520008,
  longitude: 13.404954,
  accuracyM: null,
  liveS: null,
  title: null,
  address: null,
  ...more,
});
const contentOf = (more: Partial<WrittenPlace> = {}) => placeFile(place(more), of).written ?? "";

test("a place is a point of GeoJSON, with when it was sent", () => {
  expect(placeFile(place({ accuracyM: 12.5 }), of)).toEqual({
    kind: "location",
    name: "location_17.geojson",
    claimedType: null,
    claimedBytes: null,
    written: `{
  "type": "Feature",
  "geometry": {
    "type": "Point",
    "coordinates": [
      13.404954,
      52.520008
    ]
  },
  "properties": {
    "kind": "location",
    "latitude": 52.520008,
    "longitude": 13.404954,
    "accuracyMeters": 12.5,
    "sentAt": "2026-09-21T14:13:20.000Z"
  }
}
`,
  });
  expect(typeOfWritten("location")).toBe("application/geo+json");
});

test("of one that moves it says so; a venue has its name and its address", () => {
  expect(JSON.parse(contentOf({ liveS: 900 })).properties.live).toEqual({
    seconds: 900,
    shown: "where it was when it was sent",
  });
  const venue = placeFile(place({ kind: "venue", title: "Depot", address: "Quay 1" }), of);
  expect(venue.name).toBe("venue_17.geojson");
  expect(JSON.parse(venue.written ?? "").properties).toMatchObject({
    kind: "venue",
    title: "Depot",
    address: "Quay 1",
  });
});

test("names of venues may be anything: nothing is lost, unseen, or too long for its row", () => {
  const words = fc.string({ unit: "binary", maxLength: 400 });
  const coordinate = (most: number) => fc.double({ min: -most, max: most, noNaN: true });
  fc.assert(
    fc.property(words, words, coordinate(90), coordinate(180), (title, address, lat, lng) => {
      const more = { kind: "venue", title, address, latitude: lat, longitude: lng };
      const written = contentOf(more);
      expect(contentOf(more)).toBe(written);
      expect(written).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      const { geometry, properties } = JSON.parse(written);
      expect([properties.title, properties.address]).toEqual([title, address]);
      // There is no −0 in JSON.
      expect(geometry.coordinates).toEqual([lng + 0, lat + 0]);
    }),
  );
  const long = "\u202E😀".repeat(4_000);
  expect(Buffer.byteLength(contentOf({ title: long, address: long }))).toBeLessThan(65_536);
  expect(JSON.parse(contentOf({ title: long })).properties.title).toMatch(/^.{666}…$/u);
});

test("links are a list with a line for each", () => {
  expect(linksFile(["https://a.example/", "https://b.example/?c"], of)).toEqual({
    kind: "link",
    name: "link_17.txt",
    claimedType: null,
    claimedBytes: null,
    written: "https://a.example/\r\nhttps://b.example/?c\r\n",
  });
  expect(typeOfWritten("link")).toBe("text/uri-list");
  expect(() => typeOfWritten("photo")).toThrow();
});
