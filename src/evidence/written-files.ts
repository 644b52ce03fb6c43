import type { NewFile } from "./take-files.ts";

/**
 * Messages that bring no file are written into one by us: a place as GeoJSON (RFC 7946), links as a list of
 * them (RFC 2483). The same message gives the same bytes. From there on it is a file as any other: hashed,
 * sealed, looked at, packed, kept. What a link leads to is never asked for.
 */
export type WrittenFile = Pick<
  NewFile,
  "kind" | "name" | "claimedType" | "claimedBytes" | "written"
>;

/** A message, as far as its file tells of it. */
export interface WrittenOf {
  /** Telegram's number of it. */
  messageId: string;
  /** Telegram's time of it. */
  sentAt: Date;
}

export interface WrittenPlace {
  /** location, venue. */
  kind: string;
  /** In degrees. */
  latitude: number;
  longitude: number;
  /** How far off it may be, in meters; null: nobody said. */
  accuracyM: number | null;
  /** It was to move for so long; null: it stands. */
  liveS: number | null;
  title: string | null;
  address: string | null;
}

/** Of a venue's title and address each. */
const MAX_WORDS = 1_000;

const TYPES: Record<string, string> = {
  location: "application/geo+json",
  venue: "application/geo+json",
  link: "text/uri-list",
};

/** The type of a file that we wrote of a message of this kind. */
export function typeOfWritten(kind: string): string {
  const type = TYPES[kind];
  if (type === undefined) throw new Error("nothing is written of such messages");
  return type;
}

/** Of a place, where it was when the message was sent. */
export function placeFile(place: WrittenPlace, { messageId, sentAt }: WrittenOf): WrittenFile {
  const { kind, latitude, longitude, accuracyM, liveS, title, address } = place;
  const feature = {
    type: "Feature",
    geometry: { type: "Point", coordinates: [longitude, latitude] },
    properties: {
      kind,
      // By name: in GeoJSON the longitude comes first, which people expect the other way round.
      latitude,
      longitude,
      accuracyMeters: accuracyM ?? undefined,
      sentAt: sentAt.toISOString(),
      live: liveS === null ? undefined : { seconds: liveS, shown: "where it was when it was sent" },
      title: title === null ? undefined : atMost(title),
      address: address === null ? undefined : atMost(address),
    },
  };
  return file(
    kind,
    `${kind}_${messageId}.geojson`,
    `${visible(JSON.stringify(feature, null, 2))}\n`,
  );
}

/** Of one link or several, each in ASCII without spaces. Its name ends as that of a text, which everything opens. */
export const linksFile = (links: readonly string[], { messageId }: WrittenOf): WrittenFile =>
  file("link", `link_${messageId}.txt`, links.map((link) => `${link}\r\n`).join(""));

const file = (kind: string, name: string, written: string): WrittenFile => ({
  kind,
  name,
  claimedType: null,
  claimedBytes: null,
  written,
});

/** By whole characters. */
function atMost(text: string): string {
  if (text.length <= MAX_WORDS) return text;
  return `${text.slice(0, MAX_WORDS - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/** What is not seen, or turns the direction of writing, stands in JSON as its number: nothing is lost. */
const visible = (json: string): string =>
  json.replace(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, n) => escaped(character.charCodeAt(n))).join(""),
  );

const escaped = (unit: number): string => `\\u${unit.toString(16).padStart(4, "0")}`;
