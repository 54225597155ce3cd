import { describe, expect, test } from "vitest";
import { whenUnlocked } from "../../../platforms/kubernetes/engine-images.ts";
import { EXIT, UserError } from "../../../contract/errors.ts";
import { fixSaying } from "../../support/fix-saying.ts";

const locked = () => new UserError("state-conflict", "stack prod", "another operation holds its lock", "wait");
const times = { waitSeconds: 0.2, everySeconds: 0.01 };

describe("a change of a locked stack", () => {
  test("waits until they are done", async () => {
    let tries = 0;
    const work = () => (++tries < 4 ? Promise.reject(locked()) : Promise.resolve("done"));
    expect(await whenUnlocked(AbortSignal.timeout(5000), { ...times, waitSeconds: 5 }, work)).toBe("done");
    expect(tries).toBe(4);
  });

  test("fails if the lock is never released", async () => {
    const waiting = whenUnlocked(AbortSignal.timeout(5000), times, () => Promise.reject(locked()));
    await expect(waiting).rejects.toMatchObject({ exitCode: EXIT.failed, where: "stack prod", fix: fixSaying("wait") });
  });

  test("does not retry other errors, and ends when it is aborted", async () => {
    let tries = 0;
    const broken = () => {
      tries += 1;
      return Promise.reject(new UserError("failed", "pods", "are broken", "fix them"));
    };
    await expect(whenUnlocked(AbortSignal.timeout(5000), times, broken)).rejects.toThrow("are broken");
    expect(tries).toBe(1);
    const stop = AbortSignal.abort(new Error("stop"));
    await expect(whenUnlocked(stop, times, () => Promise.reject(locked()))).rejects.toThrow("abort");
  });
});
