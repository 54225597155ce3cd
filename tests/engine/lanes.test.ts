import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { planReports } from "../../cli/commands/plan.ts";
import { Engine } from "../../platforms/pulumi/engine.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { engineMissing, loggedOut } from "./support.ts";

describe.skipIf(engineMissing())("the policies in the engine", () => {
  let login: ReturnType<typeof loggedOut>;

  beforeAll(() => {
    login = loggedOut();
  });

  afterAll(() => {
    login.remove();
  });

  test("find in a preview of local what the plan finds", async () => {
    const engine = await Engine.open({
      root: PROJECT_ROOT,
      stack: "local",
      folder: join(login.folder, "stack"),
      ownBackend: join(login.folder, "backend"),
    });
    const preview = engine.preview();
    let next = await preview.next();
    while (next.done !== true) next = await preview.next();
    const told = next.value.findings.map(({ policy, mandatory }) => `${policy} ${String(mandatory)}`);
    const [report] = await planReports(["local"]);
    const planned = report?.findings.map(({ policy, level }) => `${policy} ${String(level === "mandatory")}`) ?? [];
    expect(planned).not.toEqual([]);
    expect(told.sort()).toEqual(planned.sort());
  });
});
