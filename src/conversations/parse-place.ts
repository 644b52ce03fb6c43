import { asCount, asFields, asWording, type Fields } from "./fields.ts";
import type { SentPlace } from "./telegram-types.ts";

/** The place of a message (Bot API: Location, which a Venue has too); null: it names none on the earth. */
export function parsePlace(message: Fields): SentPlace | null {
  const venue = asFields(message.venue);
  const location = asFields(message.location) ?? asFields(venue?.location);
  const latitude = asNumber(location?.latitude, -90, 90);
  const longitude = asNumber(location?.longitude, -180, 180);
  if (latitude === null || longitude === null) return null;
  return {
    latitude,
    longitude,
    accuracyM: asNumber(location?.horizontal_accuracy, 0, Number.MAX_SAFE_INTEGER),
    liveS: asCount(location?.live_period) ?? null,
    title: asWording(venue?.title) ?? null,
    address: asWording(venue?.address) ?? null,
  };
}

function asNumber(value: unknown, least: number, most: number): number | null {
  return typeof value === "number" && value >= least && value <= most ? value : null;
}
