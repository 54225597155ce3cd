import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { dockerStack } from "../../../platforms/compose/project.ts";
import { openDockerRollout } from "../../../platforms/compose/rollout/open.ts";
import { declaredStack } from "../../../platforms/declared.ts";
import type { RolloutKind } from "../../../platforms/platform.ts";
import { INSTANCE_HEADER } from "../../../contract/envoy/names.ts";
import { freePorts } from "../../support/free-ports.ts";
import { fixSaying } from "../../support/fix-saying.ts";

const INSTANCE = "exai-open";
const path = process.env.PATH ?? "";
let folder: string;
let router: Server | undefined;
/** How often the router was asked. */
let requests = 0;

/** A `docker` that records its arguments and reports no container. */
beforeEach(async () => {
  requests = 0;
  folder = await mkdtemp(join(tmpdir(), "exai-open-"));
  await writeFile(join(folder, "docker"), `#!/bin/sh\necho "$1" >> "${folder}/asked"\n`);
  await chmod(join(folder, "docker"), 0o755);
  process.env.PATH = `${folder}${delimiter}${path}`;
});
afterEach(async () => {
  process.env.PATH = path;
  router?.closeAllConnections();
  router?.close();
  router = undefined;
  await rm(folder, { recursive: true, force: true });
});

const dockerWasAsked = () => readFile(join(folder, "asked"), "utf8").catch(() => "nothing");

/** Opens the rollout of a stack whose router answers like this; absent: nothing listens. */
async function open(kind: RolloutKind, answer?: RequestListener) {
  let [port = 0] = await freePorts(1);
  if (answer !== undefined) {
    router = createServer((request, response) => {
      requests += 1;
      answer(request, response);
    }).listen(0, "127.0.0.1");
    await once(router, "listening");
    port = (router.address() as AddressInfo).port;
  }
  const settings = { instance: INSTANCE, homeDirectory: join(folder, "home"), observePort: String(port) };
  const stack = dockerStack(declaredStack("local", settings));
  return (await openDockerRollout(stack, new AbortController().signal, kind)).context;
}

const routerOf =
  (instance: string): RequestListener =>
  (_, response) => {
    response.setHeader(INSTANCE_HEADER, instance);
    response.end(JSON.stringify({ cluster_statuses: [{ name: "blue", host_statuses: [{}] }] }));
  };
const mute: RequestListener = () => undefined;

describe("a verb that users wait for", () => {
  it.each([
    ["answers", routerOf(INSTANCE)],
    ["is only slow to answer", mute],
  ])("does not ask Docker where the router %s", async (_, answer) => {
    expect(await open({ urgent: true }, answer)).toHaveProperty("prefetch");
    expect(await dockerWasAsked()).toBe("nothing");
  });

  it("asks Docker if the router does not answer, and refuses a stack that is not up", async () => {
    await expect(open({ urgent: true })).rejects.toMatchObject({ message: "is not up", fix: fixSaying("exai up") });
    expect(await dockerWasAsked()).toBe("ps\n");
  });

  it("refuses the router of another stack without asking Docker", async () => {
    await expect(open({ urgent: true }, routerOf("exai-other"))).rejects.toMatchObject({
      exitCode: 3,
      message: `the router of exai-other answers there, not the router of ${INSTANCE}`,
    });
    expect(await dockerWasAsked()).toBe("nothing");
  });

  it("takes the answer of the router that was prefetched", async () => {
    vi.useFakeTimers({ toFake: ["performance"] }); // loading may take more than the second for which it counts
    try {
      const context = await open({ urgent: true }, routerOf(INSTANCE));
      expect(await context.prefetch?.readiness.answer()).toEqual({ blue: true, green: false });
      expect(requests).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it("makes no password for a database that there is none of", async () => {
    expect((await open({ urgent: true }, routerOf(INSTANCE))).prefetch).not.toHaveProperty("schema");
    await expect(readFile(join(folder, "home", "secrets.json"))).rejects.toThrow("ENOENT");
  });
});

describe("any other verb", () => {
  it("asks Docker first", async () => {
    await expect(open({}, routerOf(INSTANCE))).rejects.toMatchObject({ message: "is not up" });
    expect(await dockerWasAsked()).toBe("ps\n");
    expect(requests).toBe(0);
  });
});
