import { describe, expect, test } from "@jest/globals";
import { ACCESS_LEVELS, type AccessLevel, mayTalk } from "./may-talk.ts";

const nobody = null;
const member = { agentEnabled: false, named: false };
const agent = { agentEnabled: true, named: false };
const named = { agentEnabled: false, named: true };

const ALLOWED: Record<AccessLevel, unknown[]> = {
  everyone: [nobody, member, agent, named],
  members: [member, agent, named],
  agents: [agent],
  named: [named],
};

describe("who may talk", () => {
  test.each(ACCESS_LEVELS)("at the level %s", (level) => {
    const people = [nobody, member, agent, named];
    expect(people.filter((person) => mayTalk(level, person))).toEqual(ALLOWED[level]);
  });
});
