import { expect, it } from "vitest";
import { interruptedEvent } from "../../../cli/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { Interrupted } from "../../../contract/interrupted.ts";

it("an interruption says what an operation knows, and promises nothing otherwise", () => {
  const known = new Interrupted("process 7 may still apply it", fix`${command("migrate plan")}`);
  expect(interruptedEvent(known)).toMatchObject({
    message: "interrupted; process 7 may still apply it",
    fix: known.fix,
    exitCode: 130,
  });
  expect(interruptedEvent(new Error("aborted")).message).toContain("may still be carried out");
});
