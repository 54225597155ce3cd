import { all } from "../../model/truth.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** Docker checks the health of containers. */
export const healthCheck = dockerRule(
  {
    name: "docker-health-check",
    title: "Containers have a health check",
    level: "mandatory",
    documentation:
      'Without a health check, a process that hangs counts as running. `["NONE"]` disables the check of the image and fails, and so does an empty command.',
    references: cisDocker("5.27"),
  },
  (container) => {
    const tests = container.at("healthcheck", "tests");
    const holds = all(
      tests.test((value) => Array.isArray(value) && value.length > 1),
      tests.each()[0]?.is("CMD", "CMD-SHELL") ?? false,
    );
    return {
      at: tests,
      holds,
      message: "the container has no health check",
      fix: 'set healthcheck.tests, e.g. ["CMD", "program", …]',
    };
  },
);
