// cspell:ignore retrnsmt
import { spawn } from "node:child_process";
import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { portsFix, type TakenPort } from "../../../platforms/compose/ports.ts";
import { holderOf, isFree, listeners, nextFree } from "../../../platforms/machine/listeners.ts";
import { freePorts } from "../../support/free-ports.ts";

let server: Server | undefined;
afterEach(() => {
  server?.close();
});

const listen = async (port: number, host: string): Promise<void> => {
  server = createServer().listen(port, host);
  await once(server, "listening");
};

describe("ports", () => {
  it.each(["127.0.0.1", "0.0.0.0", "::"])(
    "one that a process has on %s is not free, and the process is named",
    async (host) => {
      const [port = 0] = await freePorts(1);
      expect(await isFree(port)).toBe(true);
      await listen(port, host);
      expect(await isFree(port)).toBe(false);
      expect(await holderOf(port)).toMatchObject({ kind: "process", pid: process.pid });
    },
  );

  it("names the program of another process", async () => {
    const [port = 0] = await freePorts(1);
    const script = `require("net").createServer().listen(${String(port)}, "127.0.0.1", () => console.log("up"))`;
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(child.stdout, "data");
      expect(await holderOf(port)).toEqual({
        kind: "process",
        pid: child.pid,
        program: "node",
      });
    } finally {
      child.kill();
    }
  });

  it("proposes a port that is free and that the stack does not use itself", async () => {
    const [port = 0] = await freePorts(1);
    await listen(port + 1, "127.0.0.1");
    expect(await nextFree(port, [port + 2])).toBeGreaterThan(port + 2);
  });

  it("reads the listening sockets from the kernel's table, and no connections", () => {
    const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
   2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0`;
    expect(listeners(table, 8080)).toEqual(["4711"]);
  });

  it("the fix sets every port that is taken in one command, and names how each is freed", () => {
    const taken: readonly TakenPort[] = [
      { key: "httpPort", port: 8080, free: 8081, holder: { kind: "process", pid: 12, program: "nginx" } },
      { key: "wsPort", port: 8079, free: 8082, holder: { kind: "container", name: "web" } },
      { key: "postgresPort", port: 5432, free: 5433, holder: { kind: "unknown" } },
    ];
    expect(portsFix("local", taken).toString()).toBe(
      "exai up --set httpPort=8081 --set wsPort=8082 --set postgresPort=5433; or free the ports: kill 12; docker stop web; sudo ss -ltnp sport = :5432",
    );
  });
});
