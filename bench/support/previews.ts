import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { runProgram } from "../../operations/docker/process.ts";
import { effectiveStackFile } from "../../platforms/pulumi/stack-file.ts";
import { startSupabaseApi } from "../../tests/support/supabase-api/server.ts";

/** What a deployment adds to the stack files; nothing of it is looked up in a preview. */
const DEPLOYMENT = {
  image: `ghcr.io/your-org/exai@sha256:${"1".repeat(64)}`,
  backupImage: `ghcr.io/your-org/exai-postgres@sha256:${"2".repeat(64)}`,
  kimiApiKey: "kimi-key-of-the-bench",
  glmApiKey: "glm-key-of-the-bench",
  supabaseAccessToken: `sbp_${"0".repeat(40)}`,
  backupRepository: "s3:https://s3.example.com/exai",
};

export interface Previews {
  /** Previews every stack, one after the other; exits with the first failure. */
  readonly command: readonly string[];
  end(): Promise<void>;
}

/**
 * Stacks in a separate backend, on the cluster of EXAI_TEST_KUBECONFIG and a local stand-in for Supabase's API.
 *
 * @returns undefined where there is no CLI or no cluster
 */
export async function preparePreviews(root: string, stacks: readonly string[]): Promise<Previews | undefined> {
  const kubeconfig = process.env.EXAI_TEST_KUBECONFIG ?? "";
  if (kubeconfig === "" || spawnSync("pulumi", ["version"]).status !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "exai-bench-previews-"));
  const supabase = await startSupabaseApi();
  supabase.world.addProject({
    ref: "abcdefghijklmnopqrst",
    name: "exai",
    organization: "acme",
    region: "eu-central-1",
  });
  const environment = { PULUMI_BACKEND_URL: `file://${folder}`, PULUMI_CONFIG_PASSPHRASE: "bench" };
  const lines = Object.entries(environment).map(([name, value]) => `export ${name}=${value}`);
  const { "current-context": kubeContext } = parse(readFileSync(kubeconfig, "utf8")) as Record<string, string>;
  for (const stack of stacks) {
    const overrides = { ...DEPLOYMENT, kubeconfig, kubeContext: kubeContext ?? "", supabaseEndpoint: supabase.url };
    const file = effectiveStackFile(root, join(folder, stack), stack, overrides, true);
    const made = await runProgram("pulumi", ["stack", "init", stack, "--cwd", file.folder], { env: environment });
    if (made.code !== 0) throw new Error(`pulumi stack init ${stack}: ${made.stderr}`);
    const options = `--stack ${stack} --config-file ${file.path} --policy-pack policies --non-interactive`;
    lines.push(`pulumi preview ${options} || exit`);
  }
  const script = join(folder, "previews.sh");
  writeFileSync(script, `${lines.join("\n")}\n`);
  return {
    command: ["bash", script],
    end: async () => {
      await supabase.close();
      rmSync(folder, { recursive: true });
    },
  };
}
