import { expect, test } from "@jest/globals";
import { Problem } from "./problem.ts";

test("a problem's body is RFC 9457, with the parts that are wrong", () => {
  const problem = new Problem(422, "Invalid input", "The body is not a connector.", {
    errors: [{ path: "botToken", message: "is required" }],
    headers: { "Retry-After": "1" },
    cause: new Error("internal"),
  });
  expect(JSON.parse(JSON.stringify(problem))).toEqual({
    type: "about:blank",
    title: "Invalid input",
    status: 422,
    detail: "The body is not a connector.",
    errors: [{ path: "botToken", message: "is required" }],
  });
  expect(problem).toBeInstanceOf(Error);
  expect(problem.message).toBe("The body is not a connector.");
});
