import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** Containers run as a numeric user other than root. */
export const nonRoot = dockerRule(
  {
    name: "docker-non-root",
    title: "Containers run as a user other than root, given by number",
    level: "mandatory",
    documentation:
      "`user` is `uid` or `uid:gid`. A name is refused: what it means stands in the image. Without `user` the image decides, which is root unless it says otherwise.",
    references: cisDocker("4.1"),
  },
  (container) => {
    const place = container.at("user");
    const holds = place.matches(/^0*[1-9]\d*(:0*[1-9]\d*)?$/);
    return {
      at: place,
      holds,
      message: `the container runs as user ${place.shown}`,
      fix: 'set user to "uid:gid", neither of them 0',
    };
  },
);
