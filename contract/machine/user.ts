import { userInfo } from "node:os";

/** Name of the user of this process; `user 1234` for an identifier without a name, as containers have. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${String(process.getuid?.() ?? "unknown")}`;
  }
}
