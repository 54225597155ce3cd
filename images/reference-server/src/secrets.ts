import { readFileSync } from "node:fs";
import { UserError } from "../../../contract/errors.ts";
import { SECRET_FILE_SUFFIX } from "../../../contract/server.ts";

/**
 * Value of a variable: from the file that `<NAME>_FILE` names (one trailing newline trimmed), else the variable itself.
 * An empty value counts as not given. Throws a `UserError` when both are given or the file cannot be read.
 */
export function readVariable(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const plain = env[name] === "" ? undefined : env[name];
  const file = env[`${name}${SECRET_FILE_SUFFIX}`];
  if (file === undefined || file === "") return plain;
  const fileVariable = `${name}${SECRET_FILE_SUFFIX}`;
  if (plain !== undefined)
    throw new UserError("failed", name, `is given twice, by ${name} and by ${fileVariable}`, `unset one of the two`);
  try {
    const value = readFileSync(file, "utf8").replace(/\r?\n$/, "");
    return value === "" ? undefined : value;
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UserError(
      "failed",
      fileVariable,
      `the file ${file} cannot be read (${reason})`,
      `mount the secret at ${file}, readable for the server's user, or unset ${fileVariable}`,
    );
  }
}
