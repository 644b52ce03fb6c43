import { formsOf } from "./forms.ts";

/**
 * What is looked for. `kind` says where it may be after all. An invitation lets a person or a group
 * in, once: it comes in what they write, and is gone as soon as that was read.
 */
export interface Needle {
  what: string;
  kind: "secret" | "API key" | "invitation" | "phone number" | "words" | "content";
  value: string | Buffer;
}

/** Where it is looked for. `may`: what may be there. */
export interface Place {
  name: string;
  text: string;
  may?: Needle["kind"][];
}

const SHOWN_BEFORE = 200;
const SHOWN_AFTER = 60;

/** Every needle, in each of its forms, in every place where it may not be: what was found, for people. */
export function search(places: readonly Place[], needles: readonly Needle[]): string[] {
  const found: string[] = [];
  for (const { what, kind, value } of needles) {
    for (const [name, form] of formsOf(value)) {
      for (const place of places) {
        if (place.may?.includes(kind)) continue;
        const at = place.text.indexOf(form);
        if (at === -1) continue;
        const around = place.text.slice(Math.max(0, at - SHOWN_BEFORE), at + SHOWN_AFTER);
        found.push(`${what} (${name}) in ${place.name}: …${around}…`);
      }
    }
  }
  return found;
}
