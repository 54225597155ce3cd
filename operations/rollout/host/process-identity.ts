import { readFile, readlink } from "node:fs/promises";
import { hostname, userInfo } from "node:os";

/** A process, so that others on its machine can tell whether it still lives. */
export interface ProcessIdentity {
  readonly pid: number;
  /** The machine's boot; empty where it cannot be known. */
  readonly boot: string;
  readonly processNamespace: string;
  readonly processStart: string;
}

/** This process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  return {
    pid: process.pid,
    boot: await bootId(),
    processNamespace: await processNamespace(),
    processStart: (await processStart(process.pid)) ?? "",
  };
}

/** `user@host` of this process. */
export function currentUser(): string {
  return `${userInfo().username}@${hostname()}`;
}

/** Whether a process ran on this machine since its last boot. */
export async function isSameBoot(mark: Pick<ProcessIdentity, "boot">): Promise<boolean> {
  return mark.boot !== "" && mark.boot === (await bootId());
}

/** Whether a process is certainly gone. One of another machine, or of another container, never is: nobody here can see it. */
export async function isGone(mark: ProcessIdentity): Promise<boolean> {
  if (!(await isSameBoot(mark))) return false;
  if (mark.processNamespace === "" || mark.processNamespace !== (await processNamespace())) return false;
  // The process identifier may have been given to another process since: its start time tells.
  const start = await processStart(mark.pid);
  return start === undefined || start !== mark.processStart;
}

async function bootId(): Promise<string> {
  return readFile("/proc/sys/kernel/random/boot_id", "utf8").then(
    (text) => text.trim(),
    () => "",
  );
}

async function processNamespace(): Promise<string> {
  return readlink("/proc/self/ns/pid").catch(() => "");
}

/** Start of a process in ticks since boot, field 22 of /proc/PID/stat; undefined when there is none or it is a zombie. */
async function processStart(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${String(pid)}/stat`, "utf8");
    // The second field is the program's name in parentheses and may hold spaces.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
