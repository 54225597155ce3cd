import { judge, type StackContext, type StackRule, type Subject } from "../../model/rule.ts";
import { all, any, not, type Truth } from "../../model/truth.ts";
import { Reader } from "../../model/reader.ts";
import { objectsOf } from "../../reading/kubernetes/objects.ts";
import { podsOf } from "../../reading/kubernetes/pods.ts";
import { replicasOf } from "../../reading/kubernetes/replicas.ts";
import { matches } from "../../reading/kubernetes/selectors.ts";

/** A webhook neither lets objects pass unchecked nor stops the cluster. */
export const admissionWebhooks: StackRule = {
  name: "kubernetes-admission-webhooks",
  title: "Admission webhooks fail closed, do not judge their own pods or the system's, and have two replicas",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "A webhook that mutates can change what the rules have judged, and is an unknown kind. With `failurePolicy: Ignore`, every object passes while the webhook does not answer. With `Fail`, which is the default, nothing that it judges can be created then: its `namespaceSelector` excludes `kube-system` and the namespace of the Service behind it, otherwise its pods cannot start again, and the workload behind the Service has at least two replicas. A `clientConfig.url` sends objects, Secrets included, out of the cluster. The rules list resources, and a timeout is at most 10 seconds.",
  references: [
    { standard: "Kubernetes documentation", item: "Admission webhook good practices" },
    { standard: "Kubescape", item: "C-0036, C-0039" },
  ],
  notApplicable: () => "the stack creates no webhooks",
  *check(context) {
    for (const configuration of objectsOf(context, "ValidatingWebhookConfiguration"))
      for (const webhook of configuration.inputs.at("webhooks").each()) {
        const policy = webhook.at("failurePolicy");
        yield judge(
          configuration,
          policy,
          policy.isAbsentOr("Fail"),
          "objects pass unchecked while the webhook does not answer",
          "set failurePolicy: Fail",
        );
        const service = webhook.at("clientConfig", "service");
        yield judge(
          configuration,
          webhook.at("clientConfig"),
          all(service.isPresent, webhook.at("clientConfig", "url").isAbsent),
          "objects, Secrets included, are sent out of the cluster",
          "set clientConfig.service",
        );
        const selector = webhook.at("namespaceSelector");
        for (const namespace of ["kube-system", service.at("namespace").text])
          if (namespace !== undefined)
            yield judge(
              configuration,
              selector,
              all(selector.isPresent, not(matches(selector, labelsOf(context, namespace)))),
              `pods of namespace ${namespace} cannot start while the webhook does not answer`,
              `exclude it: namespaceSelector with kubernetes.io/metadata.name NotIn [${namespace}]`,
            );
        for (const rule of webhook.at("rules").each())
          yield judge(
            configuration,
            rule.at("resources"),
            all(
              ...rule
                .at("resources")
                .each()
                .map((resource) => all(resource.isPresent, not(resource.matches(/^\*/)))),
            ),
            "the webhook gets objects of every kind",
            "list the resources that it judges",
          );
        const timeout = webhook.at("timeoutSeconds");
        yield judge(
          configuration,
          timeout,
          any(timeout.isAbsent, timeout.within(1, 10)),
          `each request may wait for ${timeout.shown} seconds`,
          "set timeoutSeconds to at most 10",
        );
        yield judge(
          configuration,
          service,
          not(hasOneReplica(context, service)),
          "the workload behind its Service can have a single replica",
          "set at least two replicas, with a PodDisruptionBudget",
        );
      }
  },
};

/** The labels of a namespace: those that the stack gives it, with the one that the API server sets. */
function labelsOf(context: StackContext, name: string): Reader {
  const own = objectsOf(context, "Namespace").find(({ inputs }) => inputs.at("metadata", "name").text === name);
  const labels = Object.fromEntries(
    (own?.inputs.at("metadata", "labels").entries() ?? []).flatMap(([key, value]) =>
      value.text === undefined ? [] : [[key, value.text]],
    ),
  );
  return Reader.of({ ...labels, "kubernetes.io/metadata.name": name });
}

/** Whether a workload of the stack behind a Service can have one replica; false for a Service of others. */
function hasOneReplica(context: StackContext, service: Reader): Truth {
  const isAt = ({ inputs }: Subject) => inputs.at("metadata", "namespace").text === service.at("namespace").text;
  const target = objectsOf(context, "Service").find(
    (one) => isAt(one) && one.inputs.at("metadata", "name").text === service.at("name").text,
  );
  if (target === undefined) return false;
  return any(
    ...objectsOf(context, "Deployment", "StatefulSet")
      .filter(isAt)
      .map((workload) => {
        const labels = podsOf(workload)[0]?.metadata.at("labels");
        const selector = target.inputs.at("spec", "selector");
        const selects =
          labels === undefined
            ? false
            : all(...selector.entries().map(([key, value]) => labels.at(key).is(value.text ?? "")));
        const replicas = replicasOf(context, workload);
        return all(
          selects,
          replicas === undefined ? workload.inputs.at("spec", "replicas").isPresent : replicas.least < 2,
        );
      }),
  );
}
