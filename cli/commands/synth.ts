import { join } from "node:path";
import { EXIT } from "../../contract/errors.ts";
import { openStack } from "../../platforms/stack.ts";
import { writeOutput } from "../output-file.ts";
import { resultOf } from "../events.ts";
import type { SynthData } from "../results.ts";
import { onStack, type Register, type SetFlags } from "./command.ts";

interface SynthFlags extends SetFlags {
  readonly out?: string;
  readonly withSecrets: boolean;
}

/** synth: the files of a stack, made without the engine. */
export const registerSynth: Register = (program, run) => {
  onStack(program.command("synth").description("write the Compose file or the Kubernetes manifests of a stack"))
    .option("--out <dir>", "write files to this folder instead of standard output")
    .option("--with-secrets", "write the known contents of Kubernetes Secrets", false)
    .action(async (stack: string, flags: SynthFlags) => {
      await run(() => resultOf("synth", synth(stack, flags), () => EXIT.ok));
    });
};

async function synth(stack: string, { out, withSecrets, set }: SynthFlags): Promise<SynthData> {
  const files = await openStack(stack, set).synth({ withSecrets });
  if (out === undefined) return { stack, files };
  // A file with secrets is for its owner only.
  const mode = withSecrets ? 0o600 : 0o644;
  for (const { name, content } of files) writeOutput("--out", join(out, name), content, mode);
  return { stack, files: files.map(({ name }) => ({ name, path: join(out, name) })) };
}
