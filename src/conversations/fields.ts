import { withoutStartTokens } from "../people/index.ts";

/**
 * Reading JSON that somebody else wrote: every reader takes anything and answers undefined where
 * the value is not what it should be, so that parsing is total.
 */

export type Fields = { readonly [name: string]: unknown };

/** Telegram's times are seconds since 1970; nothing of ours lies beyond the year 3000. */
const LATEST_TIME_S = 32_503_680_000;

const REPLACEMENT = "\uFFFD";

/**
 * Text as Postgres can keep it: NUL and lone surrogates, which neither `text` nor `jsonb` takes,
 * become U+FFFD. One UTF-16 unit for one, so the offsets of entities stay true. The update as it
 * came is kept in `job_bodies`.
 */
export function storableText(text: string): string {
  return text.replaceAll("\0", REPLACEMENT).replace(/\p{Surrogate}/gu, REPLACEMENT);
}

export function asFields(value: unknown): Fields | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return value as Fields;
}

export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Storable text; undefined when it is not a string. */
export function asText(value: unknown): string | undefined {
  return typeof value === "string" ? storableText(value) : undefined;
}

/** What people wrote or named, storable, without tokens of links; undefined when it is not a string. */
export function asWording(value: unknown): string | undefined {
  const text = asText(value);
  return text === undefined ? undefined : withoutStartTokens(text);
}

/** Storable text; undefined when it is not a string, or empty. */
export function asFilledText(value: unknown): string | undefined {
  return value === "" ? undefined : asText(value);
}

/** A whole number that JavaScript holds exactly (Bot API: ids have at most 52 significant bits). */
export function asInteger(value: unknown): number | undefined {
  return Number.isSafeInteger(value) ? (value as number) : undefined;
}

/** A whole number of at least 0. */
export function asCount(value: unknown): number | undefined {
  const integer = asInteger(value);
  return integer !== undefined && integer >= 0 ? integer : undefined;
}

/** An id of Telegram as a decimal string. */
export function asId(value: unknown): string | undefined {
  const integer = asInteger(value);
  return integer === undefined ? undefined : String(integer);
}

/** Seconds since 1970, more than 0: Telegram says 0 where it has no date. */
export function asTimeS(value: unknown): number | undefined {
  const integer = asInteger(value);
  if (integer === undefined || integer <= 0 || integer > LATEST_TIME_S) return undefined;
  return integer;
}
