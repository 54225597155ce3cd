import { parseDocument } from "yaml";
import { Reader } from "../../model/reader.ts";
import { judgeAnswers, type Answer } from "../../model/answer.ts";
import type { ResourceRule } from "../../model/rule.ts";
import { oneOf, understood, type Options } from "../../reading/options.ts";
import type { Value } from "../../../contract/graph.ts";

const PROVIDER = "pulumi:providers:kubernetes";

const UNDERSTOOD: Options = {
  version: "any",
  // Which cluster it is. The content of a kubeconfig is judged below.
  cluster: "any",
  clusterIdentifier: "any",
  context: "any",
  kubeconfig: "any",
  namespace: "any",
  kubeClientSettings: { burst: "any", qps: "any", timeout: "any" },
  enableConfigMapMutable: "any",
  enableSecretMutable: "any",
  enableServerSideApply: "any",
  alwaysRender: "any",
  // Options that lose objects, take over those of others, or write secrets into files are safe as if they were not there.
  deleteUnreachable: oneOf(false, "false"),
  enablePatchForce: oneOf(false, "false"),
  skipUpdateUnreachable: oneOf(false, "false"),
  suppressDeprecationWarnings: "any",
  suppressHelmHookWarnings: "any",
  upsertExistingObjects: oneOf(false, "false"),
};

// cspell:ignore doctl

/** Programs of clouds that fetch a token. */
const LOGIN =
  /^(?:aws|aws-iam-authenticator|az|doctl|gcloud|gke-gcloud-auth-plugin|kubelogin|oci|tsh|tailscale|kubectl-oidc_login)$/;

/** The objects of the stack reach the cluster, over a verified connection. */
export const providerOptions: ResourceRule = {
  name: "provider-options",
  title: "The rules understand every option of the Kubernetes provider, and it verifies the cluster",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "An option that the rules do not understand is a finding. Not understood are `renderYamlToDirectory`, which writes the objects with their secrets into files and applies nothing, `deleteUnreachable` and `skipUpdateUnreachable`, which lose objects of a cluster that does not answer, `enablePatchForce` and `upsertExistingObjects`, which take over objects of others, and `helmReleaseSettings`. A kubeconfig whose text is known uses https, verifies the certificate, has no credentials in user names and passwords, and runs no program except those with which clouds log in.",
  references: [{ standard: "Pulumi", item: "Kubernetes provider: inputs" }],
  notApplicable: ({ graph }) =>
    graph.resources.some(({ type }) => type === PROVIDER) ? undefined : "this stack has no provider of Kubernetes",
  concerns: ({ type }) => type === PROVIDER,
  *check(subject) {
    yield* judgeAnswers(subject, { at: subject.inputs, holds: subject.inputs.isPresent, message: "", fix: "" });
    yield* judgeAnswers(subject, understood(subject.inputs, UNDERSTOOD));
    yield* judgeAnswers(subject, kubeconfig(subject.inputs.at("kubeconfig")));
  },
};

function* kubeconfig(at: Reader): Generator<Answer> {
  // A path is read by the engine on the machine that deploys.
  if (at.text?.includes("clusters") !== true) return;
  const document = parseDocument(at.text, { logLevel: "silent" });
  const config = Reader.of((document.errors.length > 0 ? undefined : document.toJS()) as Value | undefined);
  const wrong = (message: string, fix: string): Answer => ({ at, holds: false, message, fix });
  if (config.state !== "known") yield wrong("the kubeconfig cannot be read", "give it as YAML or JSON");
  for (const entry of config.at("clusters").each()) {
    const cluster = entry.at("cluster");
    if (cluster.at("server").matches(/^https:\/\//) !== true)
      yield wrong("the kubeconfig has a cluster without https", "use the https address of the API server");
    if (cluster.at("insecure-skip-tls-verify").isAbsentOr(false) !== true)
      yield wrong("the kubeconfig does not verify the certificate of the cluster", "remove insecure-skip-tls-verify");
  }
  for (const entry of config.at("users").each()) {
    const run = entry.at("user", "exec", "command");
    if (run.isPresent === true && run.matches(LOGIN) !== true)
      yield wrong(
        `the kubeconfig runs the program ${run.shown}`,
        "log in with the program of the cloud, or with a token",
      );
    if (entry.at("user", "password").isPresent === true)
      yield wrong("the kubeconfig has a user with a password", "use a token or a certificate");
  }
}
