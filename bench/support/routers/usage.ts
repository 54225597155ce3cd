import { readdir, readFile } from "node:fs/promises";

/** What a process and its descendants have used. */
export interface Usage {
  /** Processor time since their start, seconds; that of children that have ended and were waited for included. */
  readonly cpuSeconds: number;
  /** Resident memory now, bytes; pages that they share are counted once for each. */
  readonly memoryBytes: number;
  readonly processes: number;
}

/** Ticks of /proc per second: Linux reports 100 to programs, independent of the kernel's own rate. */
const TICKS = 100;
const PAGE_BYTES = 4096;

/** Reads a process and its descendants from /proc. */
export async function usageOf(root: number): Promise<Usage> {
  const stats = new Map<number, string[]>();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    // The second field is the program's name in parentheses and may hold spaces.
    const text = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "");
    if (text !== "") stats.set(Number(name), text.slice(text.lastIndexOf(")") + 2).split(" "));
  }
  const members = new Set([root]);
  for (let size = 0; size !== members.size;) {
    size = members.size;
    for (const [pid, fields] of stats) if (members.has(Number(fields[1]))) members.add(pid);
  }
  const sum = { cpuSeconds: 0, memoryBytes: 0, processes: 0 };
  for (const pid of members) {
    const fields = stats.get(pid);
    if (fields === undefined) continue;
    // Fields 14 to 17 of proc(5): user and system time, its own and that of children waited for; 24: resident pages.
    for (const index of [11, 12, 13, 14]) sum.cpuSeconds += Number(fields[index]) / TICKS;
    sum.memoryBytes += Number(fields[21]) * PAGE_BYTES;
    sum.processes += 1;
  }
  return sum;
}
