import { all } from "../../model/truth.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** Health is checked. */
export const healthCheck = dockerRule(
  {
    name: "docker-health-check",
    title: "Containers have a health check",
    level: "mandatory",
    documentation:
      'Without one a hanging process counts as running. `["NONE"]` switches off the image\'s own check and is refused, as is an empty command.',
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
