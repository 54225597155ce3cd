// cspell:ignore nosuch unti
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { runProgram } from "../../../operations/docker/process.ts";

const EXAI = join(PROJECT_ROOT, "cli/start/run");

/** Programs that change something, or ask a service. Each of them is replaced by one that notes its call. */
const PROGRAMS = ["apt-get", "docker", "docker-compose", "dockerd", "npm", "npx", "pulumi", "systemctl"];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "exai-arguments-"));
  for (const name of PROGRAMS) {
    writeFileSync(join(folder, name), `#!/bin/sh\necho "${name} $*" >>"${folder}/calls"\nexit 1\n`);
    chmodSync(join(folder, name), 0o755);
  }
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe("a wrong argument", () => {
  const local = ["--set", "homeDirectory=HOME"];
  const cases: readonly (readonly [words: readonly string[], says: RegExp])[] = [
    [["test", "nosuch"], /nosuch: is neither a suite nor a file of tests; the suites are .*unit/],
    [["test", "unti"], /did you mean unit\?/],
    [["test", "unit", "../bench"], /\.\.\/bench: is neither/],
    [["test", "support"], /support: is neither/],
    [["up", "nosuch"], /Pulumi\.nosuch\.yaml: does not exist/],
    [["up", "local", "more", ...local], /too many arguments/],
    [["up", "--set", "httpPort=80", ...local], /privileged port/],
    [["up", "--set", "htpPort=8090", ...local], /did you mean exai:httpPort\?/],
    [["down", "--set", "nosuch=1", ...local], /exai:nosuch: is an unknown key/],
    [["status", "--set", "novalue"], /Expected key=value/],
    [["logs", "router", "--tail", "x", ...local], /--tail: is not a number of lines/],
    [["cutover", "--image", "UPPER case", ...local], /--image: "UPPER case" is not an image reference/],
    [["cutover", "--image", "", ...local], /--image: is the image/],
    [["cutover", "--image", "a:1", "--steps", "50,20,100", "--id-file", "HOME/id", ...local], /--steps: "50,20,100"/],
    [["cutover", "--image", "a:1", "--hold", "soon", "--id-file", "HOME/id", ...local], /--hold: "soon"/],
    [["rollout", "plan", "--steps", "5", ...local], /--steps: "5"/],
    [["rollout", "status", "--every", "1ms", ...local], /--every: "1ms" is too often/],
    [["rollout", "history", "--last", "0", ...local], /--last: "0" is not a number/],
    [["rollout", "finish", "--drain", "x", ...local], /--drain: "x"/],
    [["rollback", "now", ...local], /Pulumi\.now\.yaml: does not exist/],
    [["rollout", "pause", "local", "more", ...local], /too many arguments/],
    [["secrets", "rotate", "password", ...local], /"password" cannot be rotated/],
    [["secrets", "rotate", "jwt", "--steps", "1", ...local], /--steps: "1"/],
    [["backup", "now", "--kind", "huge", ...local], /Allowed choices/],
    [["migrate", "apply", "--url", "mysql://x", ...local], /is not a PostgreSQL URL/],
    [["image", "build", "--tag", "a:1", "--faults", "nosuch=1"], /nosuch/],
    [["image", "build", "--schema-min", "x"], /not a migration version/],
    [["plan", "--format", "pdf"], /Allowed choices/],
    [["audit", "prod", "--state", "file"], /cannot be combined/],
    ...[
      ["up", "local"],
      ["rollback", "local"],
      ["cutover", "local", "--image", "a:1"],
      ["rollout", "pause", "local"],
      ["logs", "local", "router"],
      ["psql", "local"],
      ["plan", "local", "prod"],
      ["audit", "local"],
    ].map(
      (words) => [[...words, "--stack", "staging"], /the stack is named twice: local.*, and --stack staging/] as const,
    ),
    ...["up", "rollback", "rollout pause", "releases", "psql", "plan", "audit"].map(
      (verb) => [[...verb.split(" "), "nosuch", "--stack", "nosuch"], /Pulumi\.nosuch\.yaml: does not exist/] as const,
    ),
    ...["exec blue", "rollout history", "rollout plan", "releases", "psql", "plan", "audit", "log"].map(
      (verb) => [[...verb.split(" "), "--stack", "nosuch"], /Pulumi\.nosuch\.yaml: does not exist/] as const,
    ),
    ...[
      ["drill", "local"],
      ["drill", "--stack", "local"],
    ].map((words) => [[...words, "--target", "staging"], /named twice: local, and --target staging/] as const),
    [["drill", "--target", "nosuch", "--stack", "nosuch"], /Pulumi\.nosuch\.yaml: does not exist/],
    [["doctor", "please"], /too many arguments/],
    [["nosuch"], /unknown command/],
  ];

  it.each(cases.map(([words, says]) => [words.join(" "), words, says] as const))(
    "is refused before anything is done: %s",
    async (_title, words, says) => {
      const home = join(folder, "home");
      const typed = words.map((word) => word.replace("HOME", home));
      const ran = await runProgram(EXAI, ["--plain", ...typed], {
        cwd: PROJECT_ROOT,
        env: { PATH: `${folder}:${dirname(process.execPath)}:/usr/bin:/bin` },
      });
      expect(`${ran.stdout}${ran.stderr}`).toMatch(says);
      expect(ran.code).toBe(2);
      expect(existsSync(join(folder, "calls")) ? readFileSync(join(folder, "calls"), "utf8") : "").toBe("");
      expect(existsSync(home), "the stack's folder was made").toBe(false);
    },
  );
});
