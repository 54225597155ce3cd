import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileState } from "../../../platforms/compose/state.ts";
import { runProgram } from "../../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";

const exai = (...words: string[]) => runProgram(join(PROJECT_ROOT, "cli/start/run"), words, { cwd: PROJECT_ROOT });

describe("the command line", () => {
  it("lists every verb and the exit codes in its help", async () => {
    const { stdout, code } = await exai("--help");
    expect(code).toBe(0);
    for (const verb of [
      "up",
      "down",
      "status",
      "logs",
      "env",
      "synth",
      "cutover",
      "rollback",
      "rollout",
      "plan",
      "migrate",
      "backup",
      "image",
      "doctor",
      "test",
    ])
      expect(stdout, verb).toMatch(new RegExp(`^  ${verb}\\b`, "m"));
    expect(stdout).toMatch(/Exit codes: 0 done, 1 violations/);
  });

  it.each(["nonsense", "up --nonsense", "cutover", "up --set novalue"])(
    "exits with 2 for wrong usage: %s",
    async (words) => {
      expect((await exai(...words.split(" "))).code).toBe(2);
    },
  );

  it("refuses settings with the key, the reason and the fix, and no stack trace", async () => {
    const { code, stderr } = await exai("up", "--set", "httpPort=80", "--set", "nope=1");
    expect(code).toBe(2);
    expect(stderr).toMatch(/exai:httpPort: is a privileged port[^\n]*\n {2}fix: --set httpPort=8080/);
    expect(stderr).toMatch(/exai:nope: is an unknown key/);
    expect(stderr).not.toMatch(/\n {4}at /);
  });

  it("refuses a stack that has no file", async () => {
    const { code, stderr } = await exai("env", "elsewhere");
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Pulumi.elsewhere.yaml: does not exist") as string,
    });
  });

  it.each(["local", "staging", "prod"])("prints the environment of %s with every secret masked", async (stack) => {
    const { stdout, code } = await exai("env", stack);
    expect(code).toBe(0);
    for (const name of ["EXAI_JWT_TOKEN", "KIMI_API_KEY", "EXAI_WS_PORT", "SUPABASE_URL", "LOG_LEVEL"])
      expect(stdout).toMatch(new RegExp(`^${name} `, "m"));
    expect(stdout).toMatch(/EXAI_JWT_TOKEN {2,}\*{8}/);
  });

  it("prints an .env.example whose values are not secret", async () => {
    const { stdout } = await exai("env", "prod", "--example");
    expect(stdout).toMatch(/^EXAI_WS_PORT=8079$/m);
    expect(stdout).toMatch(/^KIMI_API_KEY=$/m);
  });

  it("completes verbs in bash, zsh and fish", async () => {
    for (const shell of ["bash", "zsh", "fish"]) expect((await exai("complete", shell)).stdout).toContain("exai");
    expect((await exai("complete", "--", "roll")).stdout).toMatch(/^rollback/m);
    const actions = (await exai("complete", "--", "rollout", "")).stdout;
    for (const action of ["plan", "status", "history", "pause", "resume", "promote", "abort", "finish"])
      expect(actions).toMatch(new RegExp(`^${action}`, "m"));
    expect((await exai("complete", "--", "rollout", "status", "--w")).stdout).toMatch(/^--watch/m);
    expect((await exai("complete", "--", "cutover", "--stack", "")).stdout).toMatch(/^prod/m);
    expect((await exai("complete", "--", "up", "")).stdout).toMatch(/^staging/m);
  });
});

describe("FileState", () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "exai-state-"));
  });
  afterEach(() => {
    rmSync(home, { recursive: true, force: true });
  });

  it("generates a strong password once, readable by its owner only", () => {
    const made = new FileState(home, "exai").password("a", 48);
    expect(made).toMatch(/^[A-Za-z0-9]{48}$/);
    expect(new FileState(home, "exai").password("a", 48)).toBe(made);
    expect(new FileState(home, "exai").password("b", 48)).not.toBe(made);
    expect(statSync(join(home, "secrets.json")).mode & 0o777).toBe(0o600);
  });

  it("stores the image of each slot", () => {
    new FileState(home, "exai").setSlot("green", "image:2");
    new FileState(home, "exai").setSlot("blue", "image:1");
    expect(new FileState(home, "exai").slots()).toEqual({ green: "image:2", blue: "image:1" });
  });

  it("reports a damaged file and does not change it", () => {
    writeFileSync(join(home, "secrets.json"), "{broken");
    expect(() => new FileState(home, "exai")).toThrow(/is not JSON/);
    expect(readFileSync(join(home, "secrets.json"), "utf8")).toBe("{broken");
  });

  it.each(["null", "[]", '"text"', '{"blue": 1}'])("refuses JSON that is not an object of strings: %s", (text) => {
    writeFileSync(join(home, "slots.json"), text);
    expect(() => new FileState(home, "exai").slots()).toThrow(/is not an object of strings/);
  });

  it("uses the password that another process has generated since", () => {
    const [first, second] = [new FileState(home, "exai"), new FileState(home, "exai")];
    expect(second.password("a", 48)).toBe(first.password("a", 48));
  });
});

describe("the launcher", () => {
  /** Only what a minimal system has: the launcher's own tools, but no Node, no npm and no apt-get. */
  async function minimalSystem(folder: string): Promise<string> {
    cpSync(join(PROJECT_ROOT, "exai"), join(folder, "exai"));
    const bin = join(folder, "bin");
    const link = `ln -s "$(command -v $tool)" ${bin}/`;
    await runProgram("sh", [
      "-c",
      `mkdir ${bin} && for tool in bash dirname readlink id cmp cp mkdir ln cat uname; do ${link}; done`,
    ]);
    return bin;
  }

  it("reports what is missing if there is neither Node nor npm", async () => {
    const folder = mkdtempSync(join(tmpdir(), "exai-launcher-"));
    try {
      const bin = await minimalSystem(folder);
      const ran = await runProgram(join(folder, "exai"), ["up"], { env: { PATH: bin } });
      expect(ran.code).toBe(2);
      expect(ran.stderr).toMatch(/Node >= 22.18 is missing[\s\S]*fix: install Node 24/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("installs Node and node_modules if there is npm only, once", async () => {
    const folder = mkdtempSync(join(tmpdir(), "exai-launcher-"));
    try {
      const bin = await minimalSystem(folder);
      writeFileSync(join(folder, "package-lock.json"), "{}");
      mkdirSync(join(folder, "cli/start"), { recursive: true });
      writeFileSync(join(folder, "cli/start/run"), 'echo "$(node --version) $*"\n');
      cpSync(join(PROJECT_ROOT, "images/node"), join(folder, "images/node"), { recursive: true });
      // In place of the registry: `npm ci --prefix FOLDER` with the lock file there, and `npm ci`.
      const npm = `#!${bin}/bash\nif [ "$2" = --prefix ] && [ -f "$3/package-lock.json" ]; then
        mkdir -p "$3/node_modules/node/bin" && ln -s ${process.execPath} "$3/node_modules/node/bin/node"
      else mkdir node_modules; fi\n`;
      writeFileSync(join(bin, "npm"), npm, { mode: 0o755 });
      const start = () => runProgram(join(folder, "exai"), ["up", "--plain"], { env: { PATH: bin } });
      const [first, second] = [await start(), await start()];
      expect(first).toMatchObject({ code: 0, stdout: `${process.version} up --plain\n` });
      expect(first.stderr).toMatch(/^exai: installing Node [\s\S]*\nexai: installing node_modules .*\n$/);
      expect(second).toMatchObject({ code: 0, stdout: first.stdout, stderr: "" });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
