const UUID_SHAPE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An id that was typed. Throws an `Error` in one line for anything else. */
export function asUuid(what: string, text: string | undefined): string {
  if (text === undefined || !UUID_SHAPE.test(text)) throw new Error(`${what} is named by its id`);
  return text.toLowerCase();
}

/** A time that was typed. Throws an `Error` in one line for anything else. */
export function timeOption(name: string, text: string): Date {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) {
    throw new Error(`--${name} is a time, e.g. 2026-11-21T08:00:00Z`);
  }
  return date;
}
