import { expect, test } from "@jest/globals";
import { parseStorageUrl } from "./storage-url.ts";

test.each([
  ["file:///var/lib/heliograph", { kind: "local", folder: "/var/lib/heliograph" }],
  ["file:///with%20space/", { kind: "local", folder: "/with space" }],
  ["s3://files", { kind: "s3", bucket: "files", prefix: "heliograph", region: "us-east-1" }],
  [
    "s3://my-files/evidence/eu/?region=eu-west-1&endpoint=https://s3.example.com:9000/",
    {
      kind: "s3",
      bucket: "my-files",
      prefix: "evidence/eu",
      region: "eu-west-1",
      endpoint: "https://s3.example.com:9000",
    },
  ],
])("%s", (text, config) => {
  expect(parseStorageUrl(text)).toEqual(config);
});

test.each([
  ["/var/files", /no address/],
  ["http://files", /file:\/\/\/ or s3/],
  ["file://host/files", /names a host/],
  ["file:///", /root of the disk/],
  ["file:///a%2Fb", /names no folder/],
  ["file:///a%00b", /names no folder/],
  ["file:///files?x=1", /behind its folder/],
  ["s3://", /bucket/],
  ["s3://UPPER_case", /bucket/],
  ["s3://key:secret@files", /no credentials/],
  ["s3://files/a b", /prefix/],
  ["s3://files/a//b", /prefix/],
  ["s3://files?acl=public", /other than region/],
  ["s3://files?region=a/b", /region/],
  ["s3://files?endpoint=ftp://x", /endpoint/],
  ["s3://files?endpoint=https://key:secret@x", /endpoint/],
])("%s is refused with what is wrong, without repeating it", (text, wrong) => {
  expect(() => parseStorageUrl(text)).toThrow(wrong);
  expect(() => parseStorageUrl(text)).not.toThrow(/secret/);
});
