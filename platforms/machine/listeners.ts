import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { basename } from "node:path";
import { tryDocker } from "../../operations/docker/cli.ts";

/** Whether a program could listen on a port of 127.0.0.1. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => {
      resolve(false);
    });
    server.listen(port, "127.0.0.1", () =>
      server.close(() => {
        resolve(true);
      }),
    );
  });
}

/** The first free port above one, other than those of the list. */
export async function nextFree(port: number, others: readonly number[]): Promise<number> {
  for (let next = port + 1; next <= 65_535; next += 1) if (!others.includes(next) && (await isFree(next))) return next;
  return port;
}

/** Who listens on a port. */
export type Holder =
  | { readonly kind: "container"; readonly name: string }
  | { readonly kind: "process"; readonly pid: number; readonly program: string }
  /** A process of another user, or of another machine that forwards the port. */
  | { readonly kind: "unknown" };

/** Who listens on a port of 127.0.0.1, or of all addresses. */
export async function holderOf(port: number): Promise<Holder> {
  // Docker's own proxy holds the port of a container.
  const container = await publisherOf(port);
  if (container !== undefined) return { kind: "container", name: container };
  const inodes = new Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) => listeners(readText(table), port)));
  const pid = inodes.size === 0 ? undefined : ownerOf(inodes);
  if (pid === undefined) return { kind: "unknown" };
  return { kind: "process", pid, program: programOf(pid) };
}

/** Name of a process's program. The kernel's own name is that of the first thread, `MainThread` for Node. */
function programOf(pid: number): string {
  const [first = ""] = readText(`/proc/${String(pid)}/cmdline`).split(/[\0 ]/);
  return basename(first).replace(/:$/, "") || readText(`/proc/${String(pid)}/comm`).trim();
}

async function publisherOf(port: number): Promise<string | undefined> {
  try {
    const ran = await tryDocker(["ps", "--filter", `publish=${String(port)}`, "--format", "{{.Names}}"]);
    return ran.stdout.split("\n").find(Boolean);
  } catch {
    return undefined; // without Docker no container has a port
  }
}

/** Inodes of the sockets that listen on a port, in a table of the kernel such as /proc/net/tcp. */
export function listeners(table: string, port: number): readonly string[] {
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
    const [, hex = ""] = local.split(":");
    // 0A is LISTEN.
    return state === "0A" && Number.parseInt(hex, 16) === port && inode !== undefined ? [inode] : [];
  });
}

/** The process that has one of the sockets open; undefined if it is another user's. */
function ownerOf(inodes: ReadonlySet<string>): number | undefined {
  const links = new Set([...inodes].map((inode) => `socket:[${inode}]`));
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => {
      try {
        const folder = `/proc/${String(pid)}/fd`;
        return readdirSync(folder).some((fd) => links.has(link(`${folder}/${fd}`)));
      } catch {
        return false; // another user's, or it has ended
      }
    });
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // closed meanwhile
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // not on Linux
  }
}
