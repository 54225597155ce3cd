import { DockerError } from "../docker/cli.ts";
import type { DrillCheck } from "./drill.ts";
import type { ScratchServer } from "./scratch.ts";

/** Checks tables, indexes, foreign keys and sequences of a restored server, and reads every row. */
export async function prove(server: ScratchServer): Promise<readonly DrillCheck[]> {
  // Its exit code says that a check failed; its output says which.
  const output = await server.run(["bash", "-c", "exai-prove || [ $? = 1 ]"]).catch((error: unknown) => {
    if (error instanceof DockerError) return `check=proof|failed|${error.stderr.trim()}`;
    throw error;
  });
  return output.split("\n").flatMap((line) => {
    const [name, status, detail = ""] = /^check=(.*)$/.exec(line)?.[1]?.split("|") ?? [];
    return name === undefined ? [] : [{ name, status: status === "passed" ? "passed" : "failed", detail }];
  });
}
