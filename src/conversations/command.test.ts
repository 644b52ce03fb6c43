import { describe, expect, test } from "@jest/globals";
import { isForBot, parseCommand } from "./command.ts";

describe("a command", () => {
  test.each([
    ["/start", "start", null],
    ["/START", "start", null],
    ["/start deep-link", "start", null],
    ["/help\nplease", "help", null],
    ["/Help@Helio_Bot now", "help", "helio_bot"],
  ])("%j is /%s for %s", (text, name, addressee) => {
    expect(parseCommand(text)).toEqual({ name, addressee });
  });

  test.each(["start", " /start", "/", "/ start", "/stärt", "/start-up", "/help@", "//help", ""])(
    "%j is none",
    (text) => {
      expect(parseCommand(text)).toBeUndefined();
    },
  );

  test("is for this bot when it is addressed to it, or to nobody", () => {
    const help = (addressee: string | null) => ({ name: "help", addressee });
    expect(isForBot(help(null), null)).toBe(true);
    expect(isForBot(help("helio_bot"), "Helio_Bot")).toBe(true);
    expect(isForBot(help("other_bot"), "Helio_Bot")).toBe(false);
    expect(isForBot(help("helio_bot"), null)).toBe(false);
  });
});
