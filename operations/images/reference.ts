import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { IMAGE_LABELS } from "../../contract/images.ts";
import { UserError } from "../../contract/errors.ts";
import { parseFaults } from "../../images/reference-server/src/faults.ts";
import { buildImage, type BuildOutcome, type ImageBuild } from "./build.ts";
import { bundleProgram, nodePrograms } from "./programs.ts";
import { PROJECT_ROOT } from "./paths.ts";

const SOURCE = join(PROJECT_ROOT, "images/reference-server");

/** How a reference server is built. */
export interface ReferenceServerOptions {
  readonly tag: string;
  /** Faults that the image has from birth, as EXAI_FAULTS; none by default. */
  readonly faults?: string;
  /** What the server calls itself; the tag's last part by default. */
  readonly release?: string;
  /** Lowest and highest migration version that the release works with. */
  readonly schemaMin?: string;
  readonly schemaMax?: string;
  readonly base?: string;
  readonly signal?: AbortSignal;
}

/** The result of a build. */
export interface ImageBuildResult {
  readonly tag: string;
  /** `unchanged` if the image existed with the same content. */
  readonly outcome: BuildOutcome;
  /** The faults that were built in, as `EXAI_FAULTS`; empty for none. */
  readonly faults: string;
}

/** The programs of the image, each bundled into one file without dependencies. */
export async function bundleReferenceServer(): Promise<{ server: string; healthcheck: string; record: string }> {
  const bundle = (entry: string) => bundleProgram(join(SOURCE, "src", entry));
  const [server, healthcheck, record] = await Promise.all([
    bundle("main.ts"),
    bundle("healthcheck.ts"),
    bundle("database/record-workload.ts"),
  ]);
  // It is called by its path, as that of a server in another language would be.
  return { server, healthcheck, record: `#!/usr/local/bin/node\n${record}` };
}

/** The tag's version: `exai/reference-server:1.2.0` is release `1.2.0`. */
function releaseOf(tag: string): string {
  return /:([^:/]+)$/.exec(tag)?.[1] ?? "unreleased";
}

/**
 * Builds the reference server's image from `images/reference-server`; nothing is done when it would come out the same.
 *
 * Throws a `UserError` when the faults are malformed or a schema version is not a number.
 */
export async function buildReferenceServer(options: ReferenceServerOptions): Promise<BuildOutcome> {
  return buildImage(await referenceServer(options));
}

/** The image of the reference server. Throws as {@link buildReferenceServer}. */
export async function referenceServer(options: ReferenceServerOptions): Promise<ImageBuild> {
  const { tag, faults = "", release = releaseOf(tag), schemaMin = "", schemaMax = "", base } = options;
  parseFaults(faults);
  for (const [name, value] of Object.entries({ schemaMin, schemaMax }))
    if (!/^\d*$/.test(value))
      throw new UserError(
        "invalid-argument",
        name,
        `'${value}' is not a migration version`,
        "give the digits of a migration's file name",
      );
  const [dockerfile, { server, healthcheck, record }] = await Promise.all([
    readFile(join(SOURCE, "Dockerfile"), "utf8"),
    bundleReferenceServer(),
  ]);
  return {
    tag,
    buildArgs: {
      RELEASE: release,
      FAULTS: faults,
      SCHEMA_MIN: schemaMin,
      SCHEMA_MAX: schemaMax,
      ...(base === undefined ? {} : { BASE: base }),
    },
    labels: { [IMAGE_LABELS.schemaMin]: schemaMin, [IMAGE_LABELS.schemaMax]: schemaMax },
    ...nodePrograms(
      dockerfile,
      { "server.mjs": server, "healthcheck.mjs": healthcheck, "record-workload": record },
      options.signal,
    ),
  };
}
