import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { MountedSecret } from "../secrets/kubernetes.ts";
import { allOn, type Weights } from "../../contract/slots.ts";
import { ACCESS_SECRET, LISTENERS, ROUTING_NAMES } from "../../contract/gateway.ts";
import { ExaiComponent } from "../core/component.ts";
import { metadata, type KubernetesPlatform } from "../core/kubernetes.ts";
import { transformed, type Transform } from "../core/transform.ts";
import {
  accessPage,
  accessPageRoute,
  envoyProxy,
  gateway,
  pinnedRoute,
  goneSession,
  redirectRoute,
  sharedRoute,
  type GatewayObject,
  type RoutingSpec,
} from "./gateway.ts";
import { backendPolicy, clientPolicy, sessionPolicy, accessPolicy } from "./gateway-policies.ts";

type ObjectArgs = k8s.apiextensions.CustomResourceArgs;

export interface KubernetesRoutingArgs extends RoutingSpec {
  readonly platform: KubernetesPlatform;
  /** Public keys that verify tokens for access to a slot, and the private one, which goes to a Secret. */
  readonly access: { readonly keys: pulumi.Input<string>; readonly privateKey: pulumi.Input<string> };
  /** Weights at the first deployment; afterwards they are the rollout controller's. @default all on blue */
  readonly initialWeights?: Weights;
  /** Escape hatches. */
  readonly transform?: {
    readonly gateway?: Transform<ObjectArgs>;
    readonly proxy?: Transform<ObjectArgs>;
    readonly route?: Transform<ObjectArgs>;
  };
}

/** Envoy Gateway before the two slots: listeners, permanent rules for both slots, and the weighted routes. */
export class KubernetesRouting extends ExaiComponent {
  constructor(name: string, args: KubernetesRoutingArgs, opts?: pulumi.ComponentResourceOptions) {
    super(
      "exai:routing:KubernetesRouting",
      name,
      { hostname: args.hostname, tls: args.tlsSecret !== undefined, sessionTags: args.sessionTags },
      opts,
    );
    const { transform } = args;
    const weights = args.initialWeights ?? allOn("blue");
    const object = (
      suffix: string,
      objectName: string,
      body: GatewayObject,
      hatch?: Transform<ObjectArgs>,
      more: pulumi.CustomResourceOptions = {},
    ): k8s.apiextensions.CustomResource =>
      new k8s.apiextensions.CustomResource(
        ...transformed<ObjectArgs>(
          hatch,
          `${name}-${suffix}`,
          {
            apiVersion: body.apiVersion,
            kind: body.kind,
            metadata: metadata(args.platform, { component: "router" }, objectName),
            spec: body.spec,
          },
          { parent: this, ...more },
        ),
      );

    const proxy = object("proxy", ROUTING_NAMES.proxy, envoyProxy(args), transform?.proxy);
    const front = object("gateway", ROUTING_NAMES.gateway, gateway(args), transform?.gateway, { dependsOn: [proxy] });
    const after = { dependsOn: [front] };
    object("client-policy", ROUTING_NAMES.policy, clientPolicy(args), undefined, after);
    object("backend-policy", ROUTING_NAMES.policy, backendPolicy(), undefined, after);
    if (args.sessionTags) object("session-policy", ROUTING_NAMES.policy, sessionPolicy(), undefined, after);
    // Not mounted: any reader of it can sign tokens, as `exai rollout` does.
    new MountedSecret(
      `${name}-access`,
      {
        platform: args.platform,
        part: { component: "router" },
        name: ACCESS_SECRET.name,
        files: { [ACCESS_SECRET.entry]: args.access.privateKey },
      },
      { parent: this },
    );
    const gone = object("gone-session", ROUTING_NAMES.goneSession, goneSession());
    if (args.tlsSecret !== undefined)
      object("redirect", ROUTING_NAMES.redirect, redirectRoute(args), transform?.route, after);
    const routes: pulumi.Resource[] = [];
    for (const listener of LISTENERS) {
      const pinned = object(
        `${listener}-pinned`,
        ROUTING_NAMES.pinned[listener],
        pinnedRoute(args, listener),
        transform?.route,
        after,
      );
      const shared = object(
        `${listener}-shared`,
        ROUTING_NAMES.shared[listener],
        sharedRoute(args, listener, weights),
        transform?.route,
        // Rules are one atomic list to the API server, so the controller owns all of them; `up` does not change them.
        { dependsOn: [pinned, gone], ignoreChanges: ["spec.rules"] },
      );
      routes.push(pinned, shared);
    }
    const policy = accessPolicy(args, args.access.keys);
    object("access-policy", ROUTING_NAMES.policy, policy, undefined, { dependsOn: routes });
    if (args.sessionTags) {
      const page = object("access-page-filter", ROUTING_NAMES.accessPage, accessPage());
      const pageRoute = accessPageRoute(args);
      object("access-page", ROUTING_NAMES.accessPage, pageRoute, transform?.route, { dependsOn: [front, page] });
    }
    this.registerOutputs({});
  }
}
