import { expect, test } from "@jest/globals";
import type { Content } from "../outbound/index.ts";
import { Problem } from "../platform/index.ts";
import { formattedText } from "./formatted-text.ts";

const bold = (places: number) => ({ text: "<b>a</b> ".repeat(places), format: "html" as const });
const edit: Content = { type: "edit", messageId: "1b671a64-40d5-491e-99b0-da01ff1f3341" };
const photo: Content = { type: "photo", file: { fileId: "AgAC" } };

test.each([
  ["a caption", photo],
  ["an edit's new text", edit],
])("%s has as many formatted places as Telegram takes, or is refused", (_, content) => {
  expect(formattedText(bold(100), 4_096, { content }).entities).toHaveLength(100);
  const tooMany = () => formattedText(bold(101), 4_096, { content });
  expect(tooMany).toThrow(Problem);
  try {
    tooMany();
  } catch (error) {
    const errors = [{ path: "text", message: expect.stringContaining("at most 100 formatted") }];
    expect(error).toMatchObject({ status: 400, errors });
  }
});

test("a text without a content may have more: it is cut where Telegram takes no more", () => {
  expect(formattedText(bold(101), 4_096).entities).toHaveLength(101);
});
