import type { Language } from "./language.ts";

const UNITS = ["KB", "MB", "GB", "TB"];
const BYTE: Record<Language, { one: string; many: string }> = {
  en: { one: "byte", many: "bytes" },
  de: { one: "Byte", many: "Byte" },
};

/**
 * A number of bytes as people read it: `999 bytes`, `1.5 KB`, `20 MB`. By 1,024, as Telegram's limits and
 * its apps count, with one digit behind the point; cut and not rounded, so that no limit is shown as more
 * than it is.
 */
export function shownSize(bytes: number, language: Language = "en"): string {
  if (bytes < 1_024) return exactSize(bytes, language);
  let value = bytes;
  let unit = "";
  for (const next of UNITS) {
    if (value < 1_024) break;
    value /= 1_024;
    unit = next;
  }
  const tenths = Math.floor(value * 10) / 10;
  const written = tenths.toLocaleString(language, { useGrouping: false });
  return `${written} ${unit}`;
}

/** The same to the byte: sizes are compared. `1234567 bytes`. */
export function exactSize(bytes: number, language: Language = "en"): string {
  const { one, many } = BYTE[language];
  return `${bytes} ${bytes === 1 ? one : many}`;
}
