import { imageLabels } from "../../../operations/docker/cli.ts";
import { lockWaitOf } from "../../../operations/migrations/locks.ts";
import { databaseSchema, type RolloutSchema } from "../../../operations/schema/coupling.ts";
import { declaredRanges } from "../../declared-ranges.ts";
import { localDatabaseUrl } from "../project.ts";
import type { DockerStack } from "../project.ts";
import { provideImage } from "./slot-container.ts";

/** The schema of a local stack's database. Reading the labels of an image pulls or builds it. */
export function localSchema(local: DockerStack): RolloutSchema {
  return databaseSchema({
    url: () => localDatabaseUrl(local),
    unlabelled: local.settings.unlabelledReleases,
    locks: lockWaitOf(local.settings),
    ranges: declaredRanges(local.settings),
    labels: async (image, signal) => {
      await provideImage(image, signal);
      return imageLabels(image);
    },
  });
}
