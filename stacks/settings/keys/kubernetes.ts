import { z } from "zod";
import * as check from "../checks.ts";
import { CLUSTERS, define, type Setting } from "../setting.ts";

/** What only staging and prod have: Kubernetes and Supabase. */
export const KUBERNETES_SETTINGS = {
  kubeContext: define({
    check: check.text,
    about: "Context of the kubeconfig; clusters only",
    required: CLUSTERS,
    example: "prod-eu-1",
  }),
  kubeconfig: define({
    check: check.text,
    about: "Path of the kubeconfig; KUBECONFIG or ~/.kube/config if absent; clusters only",
    example: "~/.kube/prod.yaml",
  }),
  kubeApiCidrs: define({
    check: check.cidrs,
    about: "Address ranges of the API server, to which Prometheus may speak; any if absent; clusters only",
    example: "198.51.100.7/32",
  }),
  gatewayClass: define({
    check: check.dnsLabel,
    about: "GatewayClass of Envoy Gateway; clusters only",
    fallback: "envoy",
    example: "envoy",
  }),
  gatewayNamespace: define({
    check: check.dnsLabel,
    about: "Namespace that Envoy Gateway runs its proxies in; clusters only",
    fallback: "envoy-gateway-system",
    example: "envoy-gateway-system",
  }),
  gatewayReplicas: define({
    check: check.integer(1, 50),
    about: "Replicas of the gateway's proxy; clusters only",
    fallback: { local: "1", staging: "1", prod: "2" },
    example: "2",
  }),
  gatewayService: define({
    check: check.oneOf("LoadBalancer", "ClusterIP", "NodePort"),
    about: "Type of the Service before the gateway's proxy; clusters only",
    fallback: "LoadBalancer",
    example: "LoadBalancer",
  }),
  gatewayImage: define({
    check: check.imageReference,
    about: "Image of the gateway's proxy; the controller's own choice if absent; clusters only",
    example: "docker.io/envoyproxy/envoy@sha256:<64 hex digits>",
  }),
  mcpSessionTags: define({
    check: check.boolean,
    about: "Keep MCP sessions on their slot; needs Envoy Gateway with extensionApis.enableLua; clusters only",
    fallback: "true",
    example: "true",
  }),
  hostname: define({
    check: check.hostname,
    about: "Host name that the gateway answers; clusters only",
    required: CLUSTERS,
    example: "exai.example.com",
  }),
  tlsSecret: define({
    check: check.dnsLabel,
    about: "Secret with the gateway's certificate, in the stack's namespace; clusters only",
    fallback: { staging: "exai-tls", prod: "exai-tls" },
    example: "exai-tls",
  }),
  storageClass: define({
    check: check.dnsLabel,
    about: "StorageClass of the volumes; the cluster's default if absent; clusters only",
    example: "standard",
  }),
  supabaseOrganization: define({
    check: check.text,
    about: "Supabase organization that a new project is made in; clusters only",
    example: "<organization id>",
  }),
  supabaseProjectRef: define({
    check: z.string().regex(/^[a-z]{20}$/, { error: "is not a project reference (20 lower-case letters)" }),
    about: "Existing Supabase project; a new one is made if absent; clusters only",
    example: "abcdefghijklmnopqrst",
  }),
  supabaseDatabasePassword: define({
    check: check.text,
    about: "Password of an existing project's database, for backups; a new project's is generated; clusters only",
    secret: true,
    example: "<password>",
  }),
  databaseCa: define({
    check: check.certificates,
    about:
      "Certificates (PEM) by which backups and metrics verify the database; only encrypted if absent; clusters only",
    example: "$(cat prod-ca-2021.crt)",
  }),
  databaseUrl: define({
    check: check.postgresUrl,
    about: "Connection string of the database's owner, for `migrate` and rollouts; clusters only",
    secret: true,
    example: "postgresql://postgres:<password>@db.<project ref>.supabase.co:5432/postgres?sslmode=verify-full",
  }),
  supabaseAllowedCidrs: define({
    check: check.cidrs,
    about: "Address ranges that may connect to the database, separated by commas; all if absent; clusters only",
    example: "203.0.113.0/24,2001:db8::/32",
  }),
  supabaseRegion: define({
    check: check.text,
    about: "Supabase region of a new project or branch; clusters only",
    fallback: { staging: "eu-central-1", prod: "eu-central-1" },
    example: "eu-central-1",
  }),
  supabaseInstanceSize: define({
    check: check.oneOf(
      "micro",
      "small",
      "medium",
      "large",
      "xlarge",
      "2xlarge",
      "4xlarge",
      "8xlarge",
      "12xlarge",
      "16xlarge",
    ),
    about: "Supabase compute size of a new project; clusters only",
    fallback: { staging: "micro", prod: "small" },
    example: "small",
  }),
  supabaseBranch: define({
    check: check.text,
    about: "Git branch of the Supabase branch that staging runs on",
    fallback: { staging: "staging" },
    example: "staging",
  }),
  supabasePitr: define({
    check: check.boolean,
    about: "Whether Supabase's point-in-time recovery is switched on in its dashboard; clusters only",
    fallback: "false",
    example: "true",
  }),
  supabasePoolSize: define({
    check: check.integer(1, 1000),
    about:
      "Connections of Supabase's pooler to the database, as set in its dashboard; not compared if absent; clusters only",
    example: "15",
  }),
  supabaseEndpoint: define({
    check: check.url("https", "http"),
    about: "Supabase's Management API, where it is not the public one; clusters only",
    example: "https://api.supabase.com",
  }),
  supabaseAccessToken: define({
    check: check.text,
    about: "Access token of Supabase's Management API; clusters only",
    secret: true,
    required: CLUSTERS,
    example: "sbp_<40 hex digits>",
  }),
} satisfies Record<string, Setting>;
