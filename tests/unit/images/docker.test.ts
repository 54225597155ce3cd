import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { UserError } from "../../../contract/errors.ts";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { imageBuild } from "../../../cli/commands/image.ts";
import { tryDocker } from "../../../operations/docker/cli.ts";
import { runProgram } from "../../../operations/docker/process.ts";
import { NODE_VERSION } from "../../../operations/images/node.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { fixSaying } from "../../support/fix-saying.ts";

test.each([
  ["its daemon does not answer", { DOCKER_HOST: "unix:///nowhere/docker.sock" }],
  ["its client is not installed", { PATH: "/nowhere" }],
])("reports a fix when %s", async (_name, env) => {
  const failed = tryDocker(["version"], { env });
  await expect(failed).rejects.toBeInstanceOf(UserError);
  await expect(failed).rejects.toMatchObject({ where: "docker", fix: fixSaying("exai doctor --install") });
});

test("a program gets its input, and its output and exit code are returned", async () => {
  const ran = await runProgram("sh", ["-c", "cat; echo oops >&2; exit 3"], { input: "in" });
  expect(ran).toEqual({ code: 3, stdout: "in", stderr: "oops\n", timedOut: false });
});

test("a program that takes too long, or says nothing for too long, is ended", async () => {
  expect(await runProgram("sleep", ["30"], { timeoutMs: 50 })).toMatchObject({ code: null, timedOut: true });
  expect(await runProgram("sleep", ["30"], { firstWordMs: 50 })).toMatchObject({ code: null, timedOut: true });
  const talkative = ["-c", "echo word; sleep 1.2; echo end"];
  expect(await runProgram("sh", talkative, { firstWordMs: 1000 })).toMatchObject({ code: 0, stdout: "word\nend\n" });
});

test("a program is ended when the caller gives up", async () => {
  const stop = new AbortController();
  setTimeout(() => {
    stop.abort();
  }, 50);
  expect(await runProgram("sleep", ["30"], { signal: stop.signal })).toMatchObject({ code: null, timedOut: false });
});

test("the images have the launcher's Node", () => {
  const launcher = readFileSync(join(PROJECT_ROOT, "exai"), "utf8");
  expect(/^node_version=(\S+)/m.exec(launcher)?.[1]).toBe(NODE_VERSION);
  for (const platform of ["linux-x64", "linux-arm64"]) {
    const text = readFileSync(join(PROJECT_ROOT, "images/node", platform, "package-lock.json"), "utf8");
    const { packages } = JSON.parse(text) as { packages: Record<string, { version: string; integrity: string }> };
    expect(packages["node_modules/node"]).toMatchObject({ name: `node-${platform}`, version: NODE_VERSION });
    expect(packages["node_modules/node"]?.integrity).toMatch(/^sha512-/);
  }
});

test("a bad release does not take the sound one's name", async () => {
  const verb = imageBuild({ tag: LOCAL_IMAGES.referenceServer, faults: "errors=0.2" });
  await expect(verb.next()).rejects.toMatchObject({ where: "--tag" });
});
