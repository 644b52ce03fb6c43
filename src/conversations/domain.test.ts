import { expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { domainOf } from "./domain.ts";

test.each([
  ["example.com", "example.com"],
  [" Sales.Example.COM. ", "sales.example.com"],
  ["bücher.example", "xn--bcher-kva.example"],
  ["a-b.co", "a-b.co"],
])("%j is %j", (text, domain) => {
  expect(domainOf(text)).toBe(domain);
});

test.each([
  "",
  "localhost",
  "ada@example.com",
  "https://example.com",
  "example.com/path",
  "example.com:25",
  "192.0.2.7",
  "1.2",
  "[::1]",
  "-a.example",
  "a_b.example",
  "a..example",
  ".example.com",
  "exam ple.com",
  "ex%41mple.com",
  `${"a".repeat(64)}.example`,
  `${"a.".repeat(200)}example`,
  "x".repeat(1_000_000),
])("%j is no domain", (text) => {
  expect(domainOf(text)).toBeNull();
});

test("its one form is its own, whatever it was made of", () => {
  fc.assert(
    fc.property(fc.oneof(fc.domain(), fc.string(), fc.emailAddress()), (text) => {
      const domain = domainOf(text);
      if (domain !== null) expect(domainOf(domain)).toBe(domain);
    }),
  );
});
