import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { readUpdate, rewriteUpdate } from "./raw-update.ts";

const NUMBER = "+4915112345678";
const contact = { phone_number: NUMBER, first_name: "Ada", user_id: 5, vcard: `TEL:${NUMBER}` };
const read = (update: unknown) => readUpdate(Buffer.from(JSON.stringify(update)));

describe("of a shared phone number, what is kept", () => {
  test.each([
    ["a message", { message: { message_id: 1, contact } }],
    ["a reply to it", { message: { message_id: 2, reply_to_message: { contact } } }],
    ["a button under it", { callback_query: { id: "1", message: { contact } } }],
    ["a business account's message", { edited_business_message: { contact } }],
    ["an order", { pre_checkout_query: { order_info: { phone_number: NUMBER, name: "Ada" } } }],
    ["a kind that is not known yet", { new_kind: [{ list: [[{ deep: { contact } }]] }] }],
    ["a number as a number", { message: { contact: { phone_number: 4915112345678 } } }],
  ])("of %s is that there was one", (_name, kind) => {
    const update = { update_id: 7, ...kind };
    for (const { body, fields, id } of [read(update), rewriteUpdate(update)]) {
      const text = body.toString("utf8");
      expect(text).not.toMatch(/15112345678/);
      expect(JSON.stringify(fields)).not.toMatch(/15112345678/);
      expect(text).toContain('"phone_number":"[redacted]"');
      expect(JSON.parse(text)).toEqual(fields);
      expect(id).toBe(7);
    }
  });

  test("is whose it was said to be", () => {
    const { body } = read({ update_id: 7, message: { message_id: 1, contact } });
    expect(JSON.parse(body.toString("utf8"))).toEqual({
      update_id: 7,
      message: {
        message_id: 1,
        contact: { first_name: "Ada", user_id: 5, phone_number: "[redacted]", vcard: "[redacted]" },
      },
    });
  });

  test("is the same text otherwise: halves of characters, NUL, numbers of 52 bits", () => {
    const text = '\ud800 \0 \u{1F600} é \\ " </script>';
    const message = { contact, text, chat: { id: -(2 ** 52) } };
    const { fields, body } = read({ update_id: 7, message });
    expect(JSON.parse(body.toString("utf8"))).toEqual(fields);
    expect(fields.message).toMatchObject({ text, chat: { id: -(2 ** 52) } });
  });
});

test.each([
  ["a letter", "\\u0070hone_number"],
  ["its line", "phone\\u005Fnumber"],
  ["every letter", "\\u0076\\u0063\\u0061\\u0072\\u0064"],
])("a field is taken out however it is spelled: %s escaped", (_what, name) => {
  const json = `{"update_id":7,"message":{"text":"\\u00e9","contact":{"${name}":"${NUMBER}"}}}`;
  const { body, fields } = readUpdate(Buffer.from(json));
  expect(body.toString("utf8")).not.toMatch(/15112345678/);
  expect(JSON.stringify(fields)).not.toMatch(/15112345678/);
});

test.each([
  ["its parent", `{"contact":{"phone_number":"${NUMBER}"},"contact":{"first_name":"Ada"}}`],
  ["itself", `{"contact":{"phone_number":"${NUMBER}","phone_number" \n : 1}}`],
  ["a list it is in", `{"list":[{"\\u0076card":"${NUMBER}"}],"list":[]}`],
])("a field is taken out where %s stands twice", (_what, message) => {
  const { body } = readUpdate(Buffer.from(`{"update_id":7,"message":${message}}`));
  expect(body.toString("utf8")).not.toMatch(/15112345678/);
});

test("an update without one is kept as the bytes that came", () => {
  const update = [
    '{"update_id":7,"message":{"text":"\\u00e9 \\\\","caption":"\\"vcard\\":","a":["vcard"]}}',
    '{ "update_id": 7,  "message": {"text": "my \\u006eumber: +4915112345678"} }',
    '{"update_id":7,"message":{"entities":[{"type":"phone_number","offset":0,"length":3}]}}',
    '{"update_id":7,"message":{"text":"\\"phone_number\\":\\"+4915112345678\\""}}',
  ];
  for (const text of update) {
    expect(readUpdate(Buffer.from(text)).body.toString("utf8")).toBe(text);
  }
});

test("whatever else an update holds, no field of a number's name keeps what it said", () => {
  const json = fc.jsonValue({ maxDepth: 4 });
  const shape = fc.letrec((tie) => ({
    node: fc.oneof(
      json,
      fc.array(tie("node"), { maxLength: 3 }),
      fc.record({ phone_number: fc.constant(NUMBER), vcard: json, other: tie("node") }),
    ),
  })).node;
  fc.assert(
    fc.property(shape, (value) => {
      const update = { update_id: 1, message: { value } };
      const { body } = read(update);
      expect(body.toString("utf8")).not.toContain(NUMBER);
      JSON.parse(body.toString("utf8"), (name, held) => {
        if (name === "phone_number" || name === "vcard") expect(held).toBe("[redacted]");
        return held;
      });
    }),
  );
});
