// cspell:ignore regid reuid setpriv
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessError } from "../../../cli/access.ts";
import { claimHome } from "../../../contract/machine/stack-home.ts";
import { forbidden } from "../../../operations/docker/cli.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { runProgram } from "../../../operations/docker/process.ts";

const systemError = (code: string, path: string, syscall = "open") =>
  Object.assign(new Error(`${code}: no, ${syscall} '${path}'`), { code, path, syscall });

describe("an error of the file system", () => {
  it.each(["EACCES", "EPERM"])("means that the user has no access: %s", (code) => {
    const error = accessError(systemError(code, "/etc/none/here"));
    expect(error).toMatchObject({ code: "permission-denied", where: "/etc/none/here", exitCode: 2 });
  });

  it.each([
    ["ENOSPC", /no space left/],
    ["EROFS", /read-only/],
    ["EDQUOT", /quota/],
  ])("says what to correct: %s", (code, problem) => {
    expect(accessError(systemError(code, "/x"))?.message).toMatch(problem);
  });

  it("is a defect of this program if it is another one, or of a program that is started", () => {
    expect(accessError(systemError("EISDIR", "/x"))).toBeUndefined();
    expect(accessError(systemError("EACCES", "docker", "spawn docker"))).toBeUndefined();
    expect(accessError(new Error("other"))).toBeUndefined();
  });
});

describe("Docker's socket", () => {
  it.each([
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get …",
    "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: …",
    "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock",
  ])("without access is not a daemon that does not run: %s", (text) => {
    const error = forbidden(text);
    expect(error).toMatchObject({ code: "permission-denied", where: "docker", exitCode: 2 });
    expect(error?.message).toContain("/var/run/docker.sock");
    expect(String(error?.fix)).toMatch(/usermod -aG docker.*sudo/);
  });

  it("with access is not mentioned", () => {
    expect(forbidden("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")).toBeUndefined();
  });
});

/** A user that owns nothing here. Only root may become one. */
describe.runIf(process.getuid?.() === 0)("every verb as another user", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "exai-access-"));
    chmodSync(folder, 0o755);
    mkdirSync(join(folder, "state"), { mode: 0o755 });
    const docker = `#!/bin/sh\necho "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock" >&2\nexit 1\n`;
    writeFileSync(join(folder, "docker"), docker, { mode: 0o755 });
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const asNobody = (words: readonly string[]) =>
    runProgram("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", ...words], {
      cwd: PROJECT_ROOT,
      env: { PATH: `${folder}:${dirname(process.execPath)}:/usr/bin:/bin`, HOME: folder },
    });

  it("runs the sources without a word if the bundle cannot be built here", async () => {
    const closed = join(folder, "closed");
    mkdirSync(closed, { mode: 0o755 });
    const ran = await asNobody([process.execPath, join(PROJECT_ROOT, "cli/start/build.ts"), join(closed, "bundle")]);
    expect(ran).toMatchObject({ code: 1, stdout: "", stderr: "" });
  });

  it("does not advise to delete data for a secrets.json that belongs to another user", async () => {
    const home = join(folder, "owned");
    claimHome(home, "exai-access");
    chmodSync(home, 0o755);
    writeFileSync(join(home, "secrets.json"), "{}", { mode: 0o600 });
    const settings = ["--set", `homeDirectory=${home}`, "--set", "instance=exai-access"];
    const ran = await asNobody([join(PROJECT_ROOT, "cli/start/run"), "--plain", "status", ...settings]);
    const text = `${ran.stdout}${ran.stderr}`;
    expect(text).toContain(`fix: run the command as the owner of the file: ls -l ${home}/secrets.json`);
    expect(text).not.toMatch(/\n {4}at |rm |--volumes/);
    expect(ran.code).toBe(2);
  });

  const VERBS = [
    ["up"],
    ["down"],
    ["status"],
    ["logs"],
    ["cutover", "--image", "a:1"],
    ["rollback"],
    ["rollout", "status"],
    ["rollout", "plan"],
    ["rollout", "abort"],
    ["migrate", "apply"],
    ["secrets", "rotate", "jwt"],
    ["image", "build"],
  ];

  it.each(VERBS.map((words) => [words.join(" "), words] as const))(
    "names what this user has no access to, and the fix: %s",
    async (_title, words) => {
      const home = words[0] === "image" ? [] : ["--set", `homeDirectory=${join(folder, "state/local")}`];
      const exai = [join(PROJECT_ROOT, "cli/start/run"), "--plain", ...words, ...home];
      const ran = await asNobody(exai);
      const text = `${ran.stdout}${ran.stderr}`;
      expect(text).toMatch(
        /cannot be used for the state of the stack \(EACCES\)|permission denied \(\w+\); \w+ runs this, and .* belongs to root|no access to Docker's socket/,
      );
      expect(text).toMatch(/fix: (sudo |make room or correct its owner and mode)/);
      expect(text).not.toMatch(/\n {4}at /);
      expect(ran.code).toBe(2);
    },
  );
});
