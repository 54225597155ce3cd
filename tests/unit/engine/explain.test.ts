import { expect, it } from "vitest";
import { UserError } from "../../../contract/errors.ts";
import { explain } from "../../../platforms/pulumi/explain.ts";

const operation = { verb: "up", stack: "prod", local: false } as const;

function explained(message: string, more: object = {}): UserError {
  const error = explain(new Error(message), { ...operation, ...more });
  if (error instanceof UserError) return error;
  throw new Error(`not for the user: ${String(error)}`);
}

it.each([
  ["the stack is currently locked by 1 lock(s)", "lock-held", /pulumi cancel --stack prod/],
  ["error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE", "permission-denied", /PULUMI_CONFIG_PASSPHRASE/],
  ["error: get stack secrets manager: incorrect passphrase", "permission-denied", /PULUMI_CONFIG_PASSPHRASE/],
])("a failure of the CLI has a code and a fix: %s", (message, code, remedy) => {
  const error = explained(message);
  expect(error.code).toBe(code);
  expect(String(error.fix)).toMatch(remedy);
});

it("any other failure is shown by its own lines, each once, with the command that continues", () => {
  const error = explained("command failed\nerror: no quota\nerror: no quota\nstack trace");
  expect(error.message).toContain("no quota");
  expect(error.message.match(/no quota/g)).toHaveLength(1);
  expect(String(error.fix)).toContain("exai up prod again");
  expect(String(explained("error: x", { stack: "local", local: true }).fix)).toContain("exai up local --engine again");
  expect(String(explained("error: x", { stack: "local", local: true, verb: "down" }).fix)).toContain(
    "exai down local again",
  );
});

it("something other than an error is passed on", () => {
  expect(explain("stopped", operation)).toBe("stopped");
});
