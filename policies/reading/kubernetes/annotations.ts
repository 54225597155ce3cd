// cspell:ignore alibabacloud crun dapr getambassador katacontainers syncer

// cspell:ignore aadpodidbinding appscode funnel kubed mittwald emberstack reflector mnemonic nri gserviceaccount

/** What acts on an annotation: a domain of keys, the names below it that are harmless, and what the other ones do. */
interface Controller {
  readonly domain: RegExp;
  readonly harmless?: RegExp;
  readonly does: string;
}

const RESOURCES = "(?:cpu|memory|ephemeral)(?:-(?:limit|request))?";

/** Controllers that change pods, copy Secrets or open Services by annotations. What they do not name here is not understood. */
const CONTROLLERS: readonly Controller[] = [
  {
    domain:
      /^(?:k8s\.v1\.cni\.cncf\.io|v1\.multus-cni\.io|cni\.projectcalico\.org|k8s\.ovn\.org|ovn\.kubernetes\.io|ipam\.cilium\.io)$/,
    does: "attaches networks or devices of the node",
  },
  {
    domain:
      /^(?:io\.kubernetes\.cri-o\.|io\.kubernetes\.cri\.|io\.containerd\.|io\.katacontainers\.|io\.podman\.|run\.oci\.|io\.crun|org\.systemd\.property\.)|(?:^|\.)(?:cdi\.k8s\.io|nri\.io|katacontainers\.io)$/,
    does: "attaches networks or devices of the node, or changes how its runtime starts the container",
  },
  {
    domain: /^(?:sidecar|proxy|inject)\.istio\.io$/,
    harmless:
      /^(?:inject|config|status|rewriteAppHTTPProbers|nativeSidecar|proxy(?:CPU|Memory)(?:Limit)?|(?:agent)?[lL]ogLevel|componentLogLevel|stats\w+|extraStatTags)$/,
    does: "changes the sidecar that Istio adds",
  },
  {
    domain: /^vault\.hashicorp\.com$/,
    harmless: new RegExp(
      `^(?:role|namespace|log-(?:level|format)|auth-(?:path|type)|preserve-secret-case|secret-volume-path|error-on-missing-key|agent-(?:inject(?:-(?:status|containers|token|(?:secret|template|file|perms)(?:-.*)?))?|pre-populate(?:-only)?|init-first|run-as-(?:user|group|same-user)|cache-\\w+|revoke-\\w+|(?:limits|requests)-(?:cpu|mem|ephemeral)))$`,
    ),
    does: "changes the agent of Vault that is added, or its server",
  },
  {
    domain: /^config\.linkerd\.io$/,
    harmless: new RegExp(
      `^(?:proxy-${RESOURCES}|proxy-(?:await|log-level|log-format|enable-native-sidecar|wait-before-exit-seconds)|opaque-ports|skip-(?:in|out)bound-ports|default-inbound-policy|access-log|close-wait-timeout)$`,
    ),
    does: "changes the sidecar that Linkerd adds",
  },
  {
    domain: /^dapr\.io$/,
    harmless:
      /^(?:enabled|app-(?:id|port|protocol|max-concurrency|health-[\w-]+|token-secret)|config|log-(?:level|as-json)|sidecar-(?:cpu|memory)-(?:limit|request)|graceful-shutdown-seconds|enable-(?:metrics|api-logging|app-health-check)|metrics-port|api-token-secret|http-[\w-]+)$/,
    does: "changes the sidecar that Dapr adds",
  },
  {
    domain:
      /^(?:replicator\.v1\.mittwald\.de|reflector\.v1\.k8s\.emberstack\.com|(?:kubed|config-syncer)\.appscode\.com)$/,
    does: "copies the object into other namespaces",
  },
  {
    domain: /^(?:tailscale\.com|getambassador\.io)$/,
    harmless: /^(?:hostname|tags)$/,
    does: "opens the Service to other networks",
  },
];

/** What an annotation makes a controller do that no rule judges; undefined if nothing is known of it. */
export function actionOf(key: string): string | undefined {
  const [domain = "", ...names] = key.split("/");
  const controller = CONTROLLERS.find((each) => each.domain.test(names.length === 0 ? key : domain));
  return controller === undefined || controller.harmless?.test(names.join("/")) === true ? undefined : controller.does;
}

/** Annotations and labels that give a pod an identity of a cloud. */
const IDENTITIES =
  /^(?:eks\.amazonaws\.com\/role-arn|iam\.amazonaws\.com\/(?:role|external-id)|iam\.gke\.io\/gcp-service-account|azure\.workload\.identity\/(?:use|client-id|inject-proxy-sidecar)|pod-identity\.alibabacloud\.com\/(?:role-name|injection)|aadpodidbinding)$/;
/** Names of identities. */
const NAMES = /^arn:aws[a-z-]*:iam::\d+:(?:role|user)\/|@[a-z\d-]+\.iam\.gserviceaccount\.com$/;
/** Audiences of tokens that clouds take for their own credentials. */
const AUDIENCES =
  /^(?:sts\.[\w.-]+|[\w.-]*\bamazonaws\.com(?:\.cn)?|api:\/\/AzureADTokenExchange\w*|[\w.-]+\.svc\.id\.goog|(?:https:)?\/\/iam\.googleapis\.com\/.*|https:\/\/sts\..*|.*\.iam\.gserviceaccount\.com)$/;

/** Whether an annotation or a label gives an identity of a cloud. */
export function isCloudIdentity(key: string, value: string | undefined): boolean {
  return IDENTITIES.test(key) || (value !== undefined && NAMES.test(value));
}

/** Whether a cloud takes tokens of this audience. */
export function isCloudAudience(audience: string): boolean {
  return AUDIENCES.test(audience);
}
