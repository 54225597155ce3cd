import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { aroundDashes } from "../../../cli/commands/psql.ts";
import { fix } from "../../../contract/fix.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { runSession } from "../../../operations/session.ts";
import { declaredStack } from "../../../platforms/declared.ts";
import { kubectlExec } from "../../../platforms/kubernetes/exec.ts";
import { psqlSession } from "../../../platforms/psql.ts";

const install = fix`install it`;
const shell = (script: string) => runSession({ program: "sh", args: ["-c", script], install });

describe("a session", () => {
  it.each([
    ["its exit code", "exit 7", 7],
    ["its signal as a shell has it", "kill -KILL $$", 137],
  ])("ends with %s", async (_, script, code) => {
    expect(await shell(script)).toBe(code);
  });

  it("names the package if the program is missing", async () => {
    await expect(runSession({ program: "exai-no-such-program", args: [], install })).rejects.toMatchObject({
      ...{ code: "missing-tool", where: "exai-no-such-program", fix: install },
    });
  });

  it("reads and writes the pipes of this process, and gets the signal that ends it", async () => {
    const script = `
      import { runSession } from "./operations/session.ts";
      const args = ["-c", 'trap "echo ended; exit 9" TERM; cat; while :; do sleep 0.05; done'];
      process.exitCode = await runSession({ program: "sh", args, install: {} });`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { cwd: PROJECT_ROOT });
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
      if (text.includes("word")) child.kill("SIGTERM");
    });
    child.stdin.end("word\n");
    expect(await once(child, "close")).toEqual([9, null]);
    expect(printed).toBe("word\nended\n");
  });
});

describe("psql on another machine", () => {
  const url = "postgres://owner:pass%20word@db.example.com:5432/postgres?sslmode=verify-full";

  it("gets the password by its environment, and verifies the server by the system's authorities", () => {
    const { args, env } = psqlSession(url, ["--csv"], "/ca.pem");
    expect(args).toEqual(["--dbname=postgres://owner@db.example.com:5432/postgres?sslmode=verify-full", "--csv"]);
    expect(env).toEqual({ PGPASSWORD: "pass word", PGSSLROOTCERT: "/ca.pem" });
  });

  it("verifies by the authorities that the URL names", () => {
    expect(psqlSession(`${url}&sslrootcert=/own.pem`, [], "/ca.pem").env?.PGSSLROOTCERT).toBe("/own.pem");
  });
});

it("takes what follows two dashes as arguments of psql, and not as the stack", () => {
  const words = (...given: string[]) =>
    aroundDashes(
      given.filter((word) => word !== "--"),
      ["node", "exai", ...given],
    );
  expect(words()).toEqual([[], []]);
  expect(words("--", "-c", "select 1")).toEqual([[], ["-c", "select 1"]]);
  expect(words("prod", "--", "--csv")).toEqual([["prod"], ["--csv"]]);
});

it("runs a command in a slot of a cluster by kubectl, in the stack's namespace", () => {
  const overrides = { kubeContext: "here", kubeconfig: "/k" };
  const { settings } = declaredStack("staging", overrides);
  expect(kubectlExec(settings, "green", { command: ["ls", "-l"], terminal: false }).args.join(" ")).toBe(
    `--kubeconfig /k --context here --namespace ${settings.instance} exec --stdin --pod-running-timeout=10s deployment/server-green --container server -- ls -l`,
  );
});
