import { all, any } from "../../model/truth.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** A crash loop ends after some attempts. */
export const restart = dockerRule(
  {
    name: "docker-restart",
    title: "Restarts are limited",
    level: "advisory",
    documentation:
      "`restart: on-failure` with a `maxRetryCount` of at most 5. A container that cannot start then stops visibly; with `always` it restarts forever and uses CPU.",
    references: cisDocker("5.15"),
  },
  (container) => {
    const place = container.at("restart");
    const bounded = all(place.is("on-failure"), container.at("maxRetryCount").within(1, 5));
    return {
      at: place,
      holds: any(place.isAbsentOr("no"), bounded),
      message: `restart is ${place.shown} without a limit of at most 5`,
      fix: 'set restart: "on-failure" and maxRetryCount: 5',
    };
  },
);
