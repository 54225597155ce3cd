import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../../../contract/errors.ts";
import { IMAGE_LABELS } from "../../../contract/images.ts";
import { HTTP_PORT, SECRETS_DIRECTORY, SERVER_PATHS, SERVER_UID } from "../../../contract/server.ts";
import { imageBuild } from "../../../cli/commands/image.ts";
import { docker, imageLabels, tryDocker } from "../../../operations/docker/cli.ts";
import { BASE_IMAGE, ensureBase } from "../../../operations/images/base.ts";
import { buildReferenceServer } from "../../../operations/images/reference.ts";
import { Registries } from "../../../operations/images/registry.ts";

const prefix = `exs-${randomUUID().slice(0, 8)}`;
const tag = `exai/reference-server:${prefix}`;
const badTag = `${tag}-bad`;
const containers: string[] = [];
const directory = mkdtempSync(join(tmpdir(), "exai-secrets-"));

beforeAll(async () => {
  await ensureBase(BASE_IMAGE, new Registries());
  await buildReferenceServer({ tag, release: "4.2.0", schemaMin: "20260101000000", schemaMax: "20261231000000" });
});
afterAll(async () => {
  if (containers.length > 0) await docker(["rm", "--force", ...containers]);
  await docker(["image", "rm", "--force", tag, badTag]);
  rmSync(directory, { recursive: true });
});

/** Runs the image as the stack does: read-only, without capabilities, without new privileges. */
async function run(image: string, ...options: string[]): Promise<{ name: string; url: string }> {
  const name = `${prefix}-${containers.length}`;
  const hardening = [
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=256m",
    "--pids-limit=64",
  ];
  const publish = `--publish=127.0.0.1::${HTTP_PORT}`;
  containers.push(name);
  await docker(["run", "--detach", "--name", name, ...hardening, publish, ...options, image]);
  const address = await docker(["port", name, String(HTTP_PORT)]);
  return { name, url: `http://${address.trim()}` };
}

async function inspect(name: string, format: string): Promise<string> {
  return (await docker(["inspect", "--format", format, name])).trim();
}

async function untilHealth(name: string, wanted: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const health = await inspect(name, "{{.State.Health.Status}}");
    if (health === wanted) return;
    if (performance.now() > deadline) throw new Error(`${name} is ${health}, not ${wanted}`);
    await sleep(200);
  }
}

describe("the image", () => {
  test("becomes healthy with a read-only root, without capabilities, as its own user", async () => {
    const { name, url } = await run(tag, "--env=EXAI_SLOT=green");
    await untilHealth(name, "healthy");
    const response = await fetch(url + SERVER_PATHS.ready);
    expect(response.headers.get("x-exai-release")).toBe("4.2.0");
    expect(await response.json()).toEqual({ status: "ready", release: "4.2.0", slot: "green" });
    expect(await inspect(name, "{{.Config.User}}")).toBe(`${SERVER_UID}:${SERVER_UID}`);
    const status = await docker(["exec", name, "cat", "/proc/1/status"]);
    expect(status).toMatch(new RegExp(`^Uid:\\s+${SERVER_UID}\\s`, "m"));
    expect(status).toMatch(/^CapEff:\s+0+$/m);
    expect(status).toMatch(/^CapBnd:\s+0+$/m);

    await docker(["stop", "--time", "20", name]);
    expect(await inspect(name, "{{.State.ExitCode}}")).toBe("0");
    expect(await docker(["logs", name])).toContain('"draining"');
  });

  test("declares its version and its schema, and contains no fault", async () => {
    expect(await imageLabels(tag)).toMatchObject({
      "org.opencontainers.image.version": "4.2.0",
      [IMAGE_LABELS.schemaMin]: "20260101000000",
      [IMAGE_LABELS.schemaMax]: "20261231000000",
    });
    const environment = await docker(["image", "inspect", "--format", "{{json .Config.Env}}", tag]);
    expect(JSON.parse(environment)).toContain("EXAI_FAULTS=");
  });

  test("is built again only if its sources changed", async () => {
    const options = { tag, release: "4.2.0", schemaMin: "20260101000000", schemaMax: "20261231000000" };
    expect(await buildReferenceServer(options)).toBe("unchanged");
    expect(await buildReferenceServer({ ...options, schemaMax: "20270101000000" })).toBe("built");
    expect(await buildReferenceServer(options)).toBe("built");
  });

  test("reads its secrets from files", async () => {
    const file = join(directory, "jwt");
    writeFileSync(file, "short\n", { mode: 0o644 });
    const { name } = await run(
      tag,
      `--volume=${file}:${SECRETS_DIRECTORY}/jwt:ro`,
      `--env=EXAI_JWT_TOKEN_FILE=${SECRETS_DIRECTORY}/jwt`,
    );
    expect((await docker(["wait", name])).trim()).toBe("2");
    // The file was read, since its content is what is refused.
    expect((await tryDocker(["logs", name])).stderr).toContain("EXAI_JWT_TOKEN: is 5 bytes long");
  });
});

describe("a bad release", () => {
  test("starts with its faults: a healthy container whose users fail", async () => {
    const events = [];
    for await (const event of imageBuild({ tag: badTag, faults: "errors=1" })) events.push(event);
    expect(events.at(-1)).toMatchObject({ type: "result", data: { outcome: "built", faults: "errors=1" } });
    const { name, url } = await run(badTag);
    await untilHealth(name, "healthy");
    expect((await fetch(url)).status).toBe(500);
    expect((await fetch(url)).headers.get("x-exai-release")).toBe(`${prefix}-bad`);
    await docker(["rm", "--force", name]);
    containers.splice(containers.indexOf(name), 1);
  });

  test("that is never ready is an unhealthy container", async () => {
    await buildReferenceServer({ tag: badTag, faults: "never-ready" });
    const { name } = await run(badTag, "--health-interval=1s", "--health-start-period=0s");
    await untilHealth(name, "unhealthy");
  });

  test("with a knob that does not exist is refused before anything is built", async () => {
    await expect(buildReferenceServer({ tag: badTag, faults: "erors=0.2" })).rejects.toThrow(UserError);
    await expect(buildReferenceServer({ tag: badTag, schemaMin: "v1" })).rejects.toThrow(UserError);
  });
});
