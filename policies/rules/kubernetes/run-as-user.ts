import { any, not } from "../../model/truth.ts";
import { podRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

const FIELD = ["securityContext", "runAsUser"] as const;

/** Groups of the system that every distribution has, such as root, disk and docker, are below. */
const FIRST_OF_USERS = 1000;

/** No pod or container sets UID 0, or a group of the system. */
export const runAsUser = podRule(
  {
    name: "kubernetes-run-as-user",
    title: "No pod or container sets the root user or group",
    level: "mandatory",
    documentation:
      "`securityContext.runAsUser: 0` is root; `runAsNonRoot` would reject it only when the container starts. " +
      "`runAsGroup` and `fsGroup` must not be 0: much that only root may change is writable for its group. A supplementary group is asked for to reach what is there already; those below 1000 belong to the system: root, disk, docker. " +
      "A pod with a separate user namespace (`hostUsers: false`) passes, as in Pod Security since 1.35.",
    references: podSecurity("Running as Non-root user", "5.2.7"),
  },
  function* (pod) {
    const places = [["the pod", pod.spec] as const, ...pod.containers.map((c) => [c.label, c.reader] as const)];
    for (const [label, reader] of places) {
      const place = reader.at(...FIELD);
      const sound = any(place.isAbsent, place.within(1, Infinity));
      yield {
        at: place,
        holds: any(sound, pod.userNamespace),
        message: `${label} sets user ${place.shown}`,
        fix: "set runAsUser to a UID other than 0",
      };
      for (const field of ["runAsGroup", "fsGroup"]) {
        const group = reader.at("securityContext", field);
        yield {
          at: group,
          holds: any(not(group.within(0, 0)), pod.userNamespace),
          message: `${label} sets the group of root as its ${field}`,
          fix: `set ${field} to a GID other than 0`,
        };
      }
    }
    for (const group of pod.spec.at("securityContext", "supplementalGroups").each())
      yield {
        at: group,
        holds: any(group.within(FIRST_OF_USERS, Infinity), pod.userNamespace),
        message: `the pod is in group ${group.shown}, which belongs to the system`,
        fix: `remove it from supplementalGroups, or take a GID of ${FIRST_OF_USERS} or more`,
      };
  },
);
