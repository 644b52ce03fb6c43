import { describe, expect, test } from "@jest/globals";
import { readArguments } from "./command.ts";

describe("the sandbox's arguments", () => {
  test("have defaults, and become options", () => {
    expect(readArguments([])).toEqual({ port: 8081, host: "127.0.0.1" });
    expect(
      readArguments(
        "--port 0 --state s.json --no-limits --record-limit=5 --record-file r.jsonl --local".split(
          " ",
        ),
      ),
    ).toEqual({
      port: 0,
      host: "127.0.0.1",
      stateFile: "s.json",
      recordLimit: 5,
      recordFile: "r.jsonl",
      local: true,
      limits: { bot: [], paidBot: [], chat: [], group: [] },
    });
  });

  test.each([["--port=ten"], ["--port="], ["--port=70000"], ["--colour=red"], ["more"]])(
    "%s is refused",
    (argument) => expect(() => readArguments([argument])).toThrow(argument.split("=")[0]),
  );
});
