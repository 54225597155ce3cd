import { any } from "../../model/truth.ts";
import { podRule, podSecurity } from "../../reading/kubernetes/pod-rule.ts";

const PREFIX = "container.apparmor.security.beta.kubernetes.io/";

/** AppArmor stays enabled. */
export const appArmor = podRule(
  {
    name: "kubernetes-apparmor",
    title: "AppArmor profiles are not disabled",
    level: "mandatory",
    documentation:
      "`appArmorProfile.type` may be `RuntimeDefault` or `Localhost`; the value of the older annotations may be empty, `runtime/default` or `localhost/…`.",
    references: podSecurity("AppArmor"),
  },
  function* (pod) {
    for (const [label, reader] of [
      ["the pod", pod.spec] as const,
      ...pod.containers.map((c) => [c.label, c.reader] as const),
    ]) {
      const profile = reader.at("securityContext", "appArmorProfile");
      const type = profile.at("type");
      yield {
        at: type,
        holds: any(profile.isAbsent, type.is("RuntimeDefault", "Localhost")),
        message: `${label} has AppArmor profile ${type.shown}`,
        fix: "set appArmorProfile.type: RuntimeDefault, or remove it",
      };
    }
    for (const [key, value] of pod.metadata.at("annotations").entries()) {
      // The key of an unknown map is "*": it may contain such an annotation.
      if (key !== "*" && !key.startsWith(PREFIX)) continue;
      yield {
        at: value,
        holds: value.matches(/^(|runtime\/default|localhost\/.*)$/),
        message: `the annotation sets AppArmor profile ${value.shown}`,
        fix: "remove the annotation",
      };
    }
  },
);
