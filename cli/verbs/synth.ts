import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { environmentOf } from "../../stacks/settings/parse.ts";
import { capture } from "../../synth/capture.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { shown } from "../../platforms/compose/apply.ts";
import { localProject, localStack, type Overrides } from "../../platforms/compose/project.ts";
import { writeDurably } from "../../operations/rollout/host/durable-files.ts";

export interface SynthOptions {
  /** Folder to write to; standard output where absent. */
  readonly out?: string | undefined;
  /** Writes the contents of Kubernetes Secrets that are known, instead of a note in their place. */
  readonly withSecrets: boolean;
}

/** Writes what a stack comes to without the engine: the Compose file of `local`, the manifests of the others. */
export async function* synth(stack: string, overrides: Overrides, options: SynthOptions): Verb {
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true });
  const documents =
    environmentOf(stack, source) === "local"
      ? await composeDocuments(stack, overrides)
      : await manifestDocuments(stack, overrides, options.withSecrets);
  if (options.out === undefined) {
    yield { type: "text", text: documents.map((document) => document.content).join("---\n") };
    return EXIT.ok;
  }
  mkdirSync(options.out, { recursive: true });
  for (const { name, content } of documents) {
    const path = join(options.out, name);
    // With secrets in it, it is for its owner alone.
    writeDurably(path, content, options.withSecrets ? 0o600 : 0o644);
    yield { type: "step", id: name, title: `write ${shown(path)}`, status: "done" };
  }
  return EXIT.ok;
}

interface Document {
  readonly name: string;
  readonly content: string;
}

/** The Compose file alone: the secrets that it mounts stay in the stack's own folder. */
async function composeDocuments(stack: string, overrides: Overrides): Promise<readonly Document[]> {
  const project = await localProject(localStack(stack, overrides));
  return [{ name: "compose.yaml", content: stringify(project.compose.document) }];
}

async function manifestDocuments(
  stack: string,
  overrides: Overrides,
  withSecrets: boolean,
): Promise<readonly Document[]> {
  const { manifests, manifestYaml } = await import("../../synth/manifests.ts");
  const graph = await capture(stack, stackFileSource(PROJECT_ROOT, stack, { overrides, defers: true }));
  return [{ name: `${stack}.yaml`, content: manifestYaml(manifests(graph, { withSecrets })) }];
}
