import { domainToASCII } from "node:url";

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const SHAPE = new RegExp(`^(?:${LABEL}\\.)+(?=[a-z0-9-]*[a-z])${LABEL}$`);
const MAX_LENGTH = 253;

/**
 * A domain in the one form in which it is compared: lower case, international names in their ASCII
 * form, without a dot at the end. Null for what is none: an address, a URL, an IP address, one label.
 */
export function domainOf(text: string): string | null {
  const trimmed = text.trim().replace(/\.$/, "");
  // What is longer than any spelling of a domain is not looked at.
  if (trimmed.length > MAX_LENGTH || /[\s/@:?#%\\]/.test(trimmed)) return null;
  const domain = domainToASCII(trimmed.toLowerCase());
  return domain.length <= MAX_LENGTH && SHAPE.test(domain) ? domain : null;
}
