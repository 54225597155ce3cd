import { all, any } from "../../model/truth.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** A crash loop ends. */
export const restart = dockerRule(
  {
    name: "docker-restart",
    title: "Restarts are bounded",
    level: "advisory",
    documentation:
      "`restart: on-failure` with `maxRetryCount` of at most 5: a container that cannot start stops and is seen, where `always` burns CPU and hides it.",
    references: cisDocker("5.15"),
  },
  (container) => {
    const place = container.at("restart");
    const bounded = all(place.is("on-failure"), container.at("maxRetryCount").within(1, 5));
    return {
      at: place,
      holds: any(place.isAbsentOr("no"), bounded),
      message: `restart is ${place.shown} without a bound of 5`,
      fix: 'set restart: "on-failure" and maxRetryCount: 5',
    };
  },
);
