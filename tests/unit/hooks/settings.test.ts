import { describe, expect, it } from "vitest";
import { hookRunner } from "../../../platforms/hooks.ts";
import { parseSettings } from "../../../stacks/settings.ts";
import { DEFERRED, plainSource } from "../../../stacks/settings/source.ts";
import { startReceiver } from "../../support/receiver.ts";
import { hookCall, SECRET } from "./calls.ts";

const ACCEPTANCE = { name: "acceptance", when: "before-step", url: "https://ci.example.com/acceptance" };

function runnerOf(hooks: readonly object[], values: Readonly<Record<string, string | typeof DEFERRED>> = {}) {
  const source = plainSource({ rolloutHooks: JSON.stringify(hooks), rolloutHookSecret: SECRET, ...values });
  return { source, settings: parseSettings("local", source) };
}

/** What the settings are refused for. */
function refusal(hook: object, values: Readonly<Record<string, string>> = {}): string {
  try {
    runnerOf([hook], values);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe("the hooks of a stack", () => {
  it("are none by default", () => {
    const source = plainSource({});
    expect(hookRunner(parseSettings("local", source), source)).toBeUndefined();
  });

  it("are planned without address and program", () => {
    const { settings, source } = runnerOf([
      ACCEPTANCE,
      { name: "audit", when: "after-completion", command: ["./audit", "--all"], timeoutSeconds: 5 },
    ]);
    expect(hookRunner(settings, source)?.hooks).toEqual([
      { name: "acceptance", when: "before-step", timeoutSeconds: 30, onFailure: "rollback" },
      { name: "audit", when: "after-completion", timeoutSeconds: 5, onFailure: "note" },
    ]);
  });

  it.each([
    ["a name twice", [ACCEPTANCE, ACCEPTANCE], /two hooks named acceptance/],
    ["neither address nor program", [{ ...ACCEPTANCE, url: undefined }], /takes either url or command/],
    ["both", [{ ...ACCEPTANCE, command: ["true"] }], /takes either url or command/],
    ["http to another machine", [{ ...ACCEPTANCE, url: "http://ci.example.com/" }], /not an https: address/],
    ["a password in an address", [{ ...ACCEPTANCE, url: "https://a:b@ci.example.com/" }], /user name or password/],
    ["an unknown moment", [{ ...ACCEPTANCE, when: "at-lunch" }], /is none of/],
    ["a string for a shell", [{ ...ACCEPTANCE, url: undefined, command: "make test" }], /at 0.command/],
    ["an unknown key", [{ ...ACCEPTANCE, retries: 3 }], /retries/],
    ["a hook of the end that stops", [{ ...ACCEPTANCE, when: "after-rollback", onFailure: "rollback" }], /has ended/],
    [
      "a long time without users",
      [{ ...ACCEPTANCE, when: "after-completion", timeoutSeconds: 900 }],
      /keeps the lease/,
    ],
  ])("are refused with %s", (_, hooks, says) => {
    expect(() => runnerOf(hooks)).toThrow(says);
  });

  it("are refused without a key to sign with, unless all are programs", () => {
    expect(refusal(ACCEPTANCE, { rolloutHookSecret: "" })).toMatch(/nothing unsigned/);
    expect(refusal({ name: "check", when: "before-users", command: ["true"] }, { rolloutHookSecret: "" })).toBe("");
  });

  it("look an encrypted key up once, when a request is made", async () => {
    const receiver = await startReceiver();
    try {
      const { settings, source } = runnerOf([{ ...ACCEPTANCE, url: receiver.url }], { rolloutHookSecret: DEFERRED });
      let asked = 0;
      const runner = hookRunner(settings, source, () => {
        asked += 1;
        return Promise.resolve({ rolloutHookSecret: SECRET });
      });
      const { signal } = new AbortController();
      expect(asked).toBe(0);
      expect(await runner?.run(hookCall(), signal)).toMatchObject({ outcome: "passed" });
      await runner?.run(hookCall(), signal);
      expect([asked, receiver.received.length]).toEqual([1, 2]);
      expect(await hookRunner(settings, source)?.run(hookCall(), signal)).toMatchObject({
        why: "not-configured",
        answer: expect.stringContaining("only the engine can read") as string,
      });
    } finally {
      await receiver.close();
    }
  });
});
