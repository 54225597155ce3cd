import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** Containers do not run as root. */
export const nonRoot = dockerRule(
  {
    name: "docker-non-root",
    title: "Containers run as a numeric user other than root",
    level: "mandatory",
    documentation:
      "`user` is `uid` or `uid:gid`. A name fails, because the image defines which user it is. Without `user`, the image decides, and its default is root.",
    references: cisDocker("4.1"),
  },
  (container) => {
    const place = container.at("user");
    const holds = place.matches(/^0*[1-9]\d*(:0*[1-9]\d*)?$/);
    return {
      at: place,
      holds,
      message: `the container runs as user ${place.shown}`,
      fix: 'set user to "uid:gid", both greater than 0',
    };
  },
);
