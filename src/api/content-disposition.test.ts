import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { attachmentNamed } from "./content-disposition.ts";

test("no name ends its quotes or the header, and the whole name is read again from it", () => {
  const name = fc.string({ unit: "binary", minLength: 1, maxLength: 255 });
  fc.assert(
    fc.property(name, (any) => {
      const header = attachmentNamed(any);
      const [, encoded = ""] =
        /^attachment; filename="[A-Za-z0-9 ._-]*"; filename\*=UTF-8''([A-Za-z0-9!%~._-]*)$/.exec(
          header,
        ) ?? [];
      expect(decodeURIComponent(encoded)).toBe(any.replace(/\p{Surrogate}/gu, "\uFFFD"));
    }),
  );
});

test.each([
  ['a"; x="b.pdf', `attachment; filename="a__ x__b.pdf"; filename*=UTF-8''a%22%3B%20x%3D%22b.pdf`],
  [
    "a\r\nSet-Cookie: b",
    `attachment; filename="a__Set-Cookie_ b"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b`,
  ],
  [
    "Prüfung (1)'*.pdf",
    `attachment; filename="Pru_fung _1___.pdf"; filename*=UTF-8''Pr%C3%BCfung%20%281%29%27%2A.pdf`,
  ],
  ["📄", `attachment; filename="__"; filename*=UTF-8''%F0%9F%93%84`],
])("%j", (name, header) => expect(attachmentNamed(name)).toBe(header));
