import { expect, test } from "@jest/globals";
import { outcomeOfError, Pause } from "./errors.ts";

const quoting = Object.assign(
  new Error('invalid input syntax for type bigint: "my name is Ada, +49 170 1234567"'),
  { code: "22P02" },
);
const token = `123456789:${"A".repeat(35)}`;

function parseError(): unknown {
  try {
    return JSON.parse("Hello, my secret");
  } catch (error) {
    return error;
  }
}

test("what an error quotes, a token, a phone number and NUL do not reach the ledger", () => {
  for (const error of [
    quoting,
    parseError(),
    new Error(`GET https://api.telegram.org/file/bot${token}/x failed for +491701234567`),
    new Pause(`bot${token} is held\0`, 0),
  ]) {
    const outcome = JSON.stringify(outcomeOfError(error));
    expect(outcome).not.toMatch(/Ada|Hello|AAAA|170|\\u0000/);
    expect(outcome).toMatch(/redacted|not valid JSON/);
  }
});
