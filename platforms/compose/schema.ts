import { databaseSchema, type RolloutSchema } from "../../operations/schema/coupling.ts";
import { declaredRanges } from "../declared-ranges.ts";
import { localDatabaseUrl } from "./database.ts";
import type { LocalStack } from "./project.ts";

/** The schema of a local stack's database. Images are brought here to read their labels. */
export function localSchema(local: LocalStack): RolloutSchema {
  return databaseSchema({
    url: () => localDatabaseUrl(local),
    unlabelled: local.settings.unlabelledReleases,
    ranges: declaredRanges(local.settings),
    labels: async (image, signal) => {
      const [{ imageLabels }, { provideImage }] = await Promise.all([
        import("../../operations/docker/cli.ts"),
        import("./slot-container.ts"),
      ]);
      await provideImage(image, signal);
      return imageLabels(image);
    },
  });
}
