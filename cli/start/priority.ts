/**
 * A rollback goes before everybody else where it may (as root): the machine that needs it is the one that is too busy, and of
 * a rollback most is the start of its process. Docker's client inherits it, containers do not.
 */
import { constants, setPriority } from "node:os";

const verb = process.argv.slice(2).find((word) => !word.startsWith("-"));

if (verb === "rollback") {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch {
    // Nobody but root may; it is a rollback all the same.
  }
}
