const MAX_PLAIN = 100;

/**
 * `Content-Disposition` of a file that is saved and never shown, whatever its name (RFC 6266): a plain
 * name for old readers, which cannot end its quotes or the header, and the whole one as RFC 8187 encodes
 * it, which leaves letters, digits and a few signs alone. Pure.
 */
export function attachmentNamed(name: string): string {
  const plain = name
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9 ._-]/g, "_")
    .slice(0, MAX_PLAIN);
  const whole = encodeURIComponent(name.replace(/\p{Surrogate}/gu, "\uFFFD")).replace(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${whole}`;
}
