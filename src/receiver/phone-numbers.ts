/**
 * Phone numbers come in fields of their own (Bot API: Contact, OrderInfo), and a contact's card holds
 * them again. They are taken out before an update is stored, wherever in it they are: numbers are kept
 * only by who has their owner's consent, and nobody here does (docs/decisions/0020). That one was
 * shared, and in whose name, stays. What people type is their message, and is kept as it is.
 */
const FIELDS = new Set(["phone_number", "vcard"]);
const FIELD_NAMES = [...FIELDS].map((name) => `"${name}"`);
/** How JSON may spell any of their letters (RFC 8259); no other escape stands for one. */
const ESCAPED_LETTER = "\\u00";
/** Of a name, each letter of which is escaped. */
const LONGEST_NAME = 6 * Math.max(...[...FIELDS].map((name) => name.length)) + 2;
const NOT_KEPT = "[redacted]";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const SPACE = 0x20;

/**
 * Whether JSON text, which must be valid, has such a field: also where its parent stands twice, and
 * whoever parses it sees the last alone. Hardly any update has one, so bytes are looked at first.
 */
export function holdsPhoneNumbers(json: Buffer): boolean {
  const may = FIELD_NAMES.some((name) => json.includes(name)) || json.includes(ESCAPED_LETTER);
  if (!may) return false;
  for (let at = json.indexOf(QUOTE); at !== -1; ) {
    let end = at + 1;
    while (end < json.length && json[end] !== QUOTE) end += json[end] === BACKSLASH ? 2 : 1;
    let next = end + 1;
    while ((json[next] ?? COLON) <= SPACE) next++;
    if (json[next] === COLON && end - at < LONGEST_NAME) {
      if (FIELDS.has(JSON.parse(json.toString("utf8", at, end + 1)))) return true;
    }
    at = json.indexOf(QUOTE, next);
  }
  return false;
}

/** Takes them out of a parsed update, in place. */
export function removePhoneNumbers(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  const fields = value as Record<string, unknown>;
  for (const name of Object.keys(fields)) {
    if (FIELDS.has(name)) fields[name] = NOT_KEPT;
    else removePhoneNumbers(fields[name]);
  }
}
