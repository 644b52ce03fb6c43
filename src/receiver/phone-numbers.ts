/**
 * Phone numbers come in fields of their own (Bot API: Contact, OrderInfo), and a contact's card holds
 * them again. They are taken out before an update is stored, wherever in it they are: numbers are kept
 * only by who has their owner's consent, and nobody here does (docs/decisions/0020). That one was
 * shared, and in whose name, stays. What people type is their message, and is kept as it is.
 */
const FIELDS = new Set(["phone_number", "vcard"]);
const FIELD_NAMES = [...FIELDS].map((name) => `"${name}"`);
const NOT_KEPT = "[redacted]";

/** Whether JSON text may hold such a field: looks at bytes alone, since hardly any update does. */
export function mayHoldPhoneNumbers(json: Buffer): boolean {
  return FIELD_NAMES.some((name) => json.includes(name));
}

/** Takes them out of a parsed update, in place; false when there are none. */
export function removePhoneNumbers(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Record<string, unknown>;
  let removed = false;
  for (const name of Object.keys(fields)) {
    if (FIELDS.has(name)) {
      fields[name] = NOT_KEPT;
      removed = true;
    } else if (removePhoneNumbers(fields[name])) {
      removed = true;
    }
  }
  return removed;
}
