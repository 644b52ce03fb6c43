/**
 * Takes secrets and phone numbers out of text that is about to leave the process, by their shape.
 * It is the last line, not the only one: nobody should log them in the first place. But an HTTP
 * client puts the URL, and with it the bot's token, into its error message.
 */

const REMOVED = "[redacted]";

/** Header and field names whose values are secret or personal, whatever they look like. */
export const SECRET_NAMES =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|x-telegram-bot-api-secret-token|(?:.*[_-])?(?:token|secret|password|passwd|passphrase|api[_-]?key|api[_-]?hash|private[_-]?key|auth[_-]?key|session[_-]?string)|(?:.*(?:[a-z]))?(?:Token|Secret|Password|ApiKey|ApiHash|PrivateKey|AuthKey)|secret[_-]?token|apikey|phone|phones|phone[_-]?numbers?|phoneNumbers?|vcard|encryption[_-]?keys?|encryptionKeys?)$/i;

const JSON_NAMES =
  "[a-z_-]*(?:token|secret|password|api_?key|api_?hash|private_?key|phone|phone_?number|vcard)";

const RULES: Array<[RegExp, string]> = [
  // Bot API URLs: /bot123456:AA…/method and /file/bot123456:AA…/path, cut short or percent-encoded
  [/(\/bot)\d+(?::|%3A)[^/\s"'\\<>]*/gi, `$1${REMOVED}`],
  // A bot's token on its own
  [/\d{6,}(?::|%3A)[A-Za-z0-9_-]{30,}/gi, REMOVED],
  // A workspace's API key
  [/hgk_[A-Za-z0-9_-]+/g, `hgk_${REMOVED}`],
  // The token of a link that binds an account to a person
  [/hgl_[A-Za-z0-9_-]+/g, `hgl_${REMOVED}`],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+/gi, `$1 ${REMOVED}`],
  // Headers as text, in an object or in a flat list of names and values
  [
    /((?:authorization|cookie|x-telegram-bot-api-secret-token)\\*["']?\s*[:,=]\s*\\*["']?)(?!\[redacted\])[^"'\\\s,;}]+/gi,
    `$1${REMOVED}`,
  ],
  // Connection strings: everything between the user and the last @
  [/([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:@/"'\\<>]*):[^\s"'\\<>]*@/gi, `$1:${REMOVED}@`],
  // key=value, in URLs and in libpq's connection strings
  [
    /\b((?:[a-z0-9]+[_-])*(?:password|passwd|secret|token|api_?key|api_?hash)=)[^\s&"'\\;,]+/gi,
    `$1${REMOVED}`,
  ],
  // Fields of JSON inside a text, escaped as often as it may be: strings, then numbers
  [
    new RegExp(`(\\\\*")(${JSON_NAMES})\\1(\\s*:\\s*)\\1(?:(?!\\1).)*`, "gi"),
    `$1$2$1$3$1${REMOVED}`,
  ],
  [new RegExp(`(\\\\*")(${JSON_NAMES})\\1(\\s*:\\s*)\\d+`, "gi"), `$1$2$1$3$1${REMOVED}$1`],
  // Phone numbers: international form, and vCard lines. Bare digits are ids here, mostly.
  [/(tel(?:;[^:"\s]{0,40})?:\s*)\+?\d[\d ().-]{5,20}/gi, `$1${REMOVED}`],
  [/\+\d(?:[ ().-]{0,2}\d){7,14}(?!\d)/g, REMOVED],
];

/** `text` without what looks like a secret or a phone number. Works on JSON lines as they are. */
export function scrub(text: string): string {
  let result = text;
  for (const [pattern, replacement] of RULES) result = result.replace(pattern, replacement);
  return result;
}
