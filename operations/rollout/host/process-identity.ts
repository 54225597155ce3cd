import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";
import { userName } from "../../../contract/machine/user.ts";

/** A process, identified so that others on its machine can check whether it still runs. */
export interface ProcessIdentity {
  readonly pid: number;
  /** The machine's boot; empty if it is unknown. */
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
  return `${userName()}@${hostname()}`;
}

/** Whether a process has run on this machine since its last boot. */
export async function isSameBoot(identity: Pick<ProcessIdentity, "boot">): Promise<boolean> {
  return identity.boot !== "" && identity.boot === (await bootId());
}

/** Whether a process has certainly ended. False for processes of other machines and containers: they are not visible here. */
export async function isGone(identity: ProcessIdentity): Promise<boolean> {
  if (!(await isSameBoot(identity))) return false;
  if (identity.processNamespace === "" || identity.processNamespace !== (await processNamespace())) return false;
  // Another process may have got the identifier since; it has another start time.
  const start = await processStart(identity.pid);
  return start === undefined || start !== identity.processStart;
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

/** Start of a process in ticks since boot, field 22 of /proc/PID/stat; undefined if it does not exist or is a zombie. */
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
