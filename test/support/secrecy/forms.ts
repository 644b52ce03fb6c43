/**
 * The ways in which a secret may have been written down, so that it is found however it was carried:
 * as it is, percent-encoded, in base64 of either alphabet wherever in a larger text it begins, in
 * hexadecimal, backwards, and escaped as JSON may be.
 */

/** Shorter ones would be found by chance. */
const LEAST_BYTES = 8;

/** By the name of the form. A `Buffer` is a key that is not text. Throws for what is too short. */
export function formsOf(secret: string | Buffer): Map<string, string> {
  const bytes = Buffer.from(secret as string);
  if (bytes.length < LEAST_BYTES) throw new Error(`a secret has at least ${LEAST_BYTES} bytes`);
  const hex = bytes.toString("hex");
  const forms: [string, string][] = [
    ["hex", hex],
    ["HEX", hex.toUpperCase()],
    ["percent-encoded", hex.replace(/../g, "%$&")],
    ["PERCENT-ENCODED", hex.toUpperCase().replace(/../g, "%$&")],
  ];
  for (const offset of [0, 1, 2]) {
    const base64 = base64At(bytes, offset);
    forms.push([`base64 +${offset}`, base64]);
    forms.push([`base64url +${offset}`, base64.replaceAll("+", "-").replaceAll("/", "_")]);
  }
  if (typeof secret === "string") {
    forms.push(
      ["reversed", [...secret].reverse().join("")],
      ["JSON escapes", secret.replace(/./gs, jsonEscape)],
      ["JSON", JSON.stringify(secret).slice(1, -1)],
      ["URL-encoded", encodeURIComponent(secret)],
      ["plain", secret],
    );
  }
  // Where nothing is to be encoded several forms are one, and it is called by its last name.
  return new Map([...new Map(forms.map(([name, form]) => [form, name]))].map(swap));
}

const swap = ([form, name]: [string, string]): [string, string] => [name, form];

const jsonEscape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

/**
 * What is the same in base64 of any text that holds `bytes` at an offset of 0, 1 or 2 beyond a
 * multiple of three: without the characters that its neighbours have a part in.
 */
function base64At(bytes: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
  const end = Math.floor(((offset + bytes.length) * 8) / 6);
  return encoded.slice(Math.ceil((offset * 8) / 6), end);
}
