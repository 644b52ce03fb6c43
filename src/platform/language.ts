/** Languages that people are spoken to in, by their two letters (ISO 639-1). */
export const LANGUAGES = ["en", "de"] as const;
export type Language = (typeof LANGUAGES)[number];

/**
 * By what the user's app says it speaks (Bot API: User, `language_code`, an IETF tag): `de`, `de-AT` and
 * `DE_ch` are German; whatever there are no texts in, and null, is English.
 */
export function languageOf(languageCode: string | null): Language {
  const [subtag = ""] = (languageCode ?? "").toLowerCase().split(/[-_]/, 1);
  return LANGUAGES.find((language) => language === subtag) ?? "en";
}
