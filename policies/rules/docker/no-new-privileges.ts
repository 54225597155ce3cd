import { every } from "../../model/reader.ts";
import { all, any, not } from "../../model/truth.ts";
import { cisDocker, dockerRule } from "../../reading/docker-rule.ts";

/** Processes cannot gain privileges, and security profiles stay enabled. */
export const noNewPrivileges = dockerRule(
  {
    name: "docker-no-new-privileges",
    title: "Containers cannot gain privileges, and keep their seccomp and AppArmor profiles",
    level: "mandatory",
    documentation:
      "`securityOpts` must have `no-new-privileges` (or `no-new-privileges:true`) and must not have `seccomp=unconfined`, `apparmor=unconfined`, a SELinux label, or `systempaths=unconfined`.",
    references: cisDocker("5.2", "5.3", "5.22", "5.26"),
  },
  function* (container) {
    const place = container.at("securityOpts");
    const set = any(...place.each().map((option) => option.matches(/^no-new-privileges([:=]true)?$/)));
    // Docker takes the last of several, and accepts what Go reads as a boolean.
    const unset = any(...place.each().map((option) => option.matches(/^no-new-privileges[:=](?!true$)/)));
    yield {
      at: place,
      holds: all(set, not(unset)),
      message: "the container may gain privileges",
      fix: 'add "no-new-privileges:true" to securityOpts',
    };
    const confined = every(place.each(), (option) =>
      all(
        option.isPresent,
        not(
          option.matches(
            /^(seccomp|apparmor|systempaths)[:=]unconfined$|^label[:=](disable|(type|level|role|user)[:=].*)$/,
          ),
        ),
      ),
    );
    yield {
      at: place,
      holds: confined,
      message: "a security profile is disabled",
      fix: "remove the unconfined profile from securityOpts",
    };
  },
);
