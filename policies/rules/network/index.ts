import type { Rule } from "../../model/rule.ts";
import { defaultDeny } from "./default-deny.ts";
import { gatewayOptions } from "./gateway-options.ts";
import { gatewayRoutes } from "./gateway-routes.ts";
import { ingressOptions } from "./ingress-options.ts";
import { openings } from "./openings.ts";
import { podSecurityLabels } from "./pod-security-labels.ts";
import { publicServices } from "./public-services.ts";
import { tls } from "./tls.ts";

/** Rules about the network of the cluster. In the order of reports. */
export const NETWORK_RULES: readonly Rule[] = [
  podSecurityLabels,
  defaultDeny,
  openings,
  publicServices,
  gatewayRoutes,
  gatewayOptions,
  ingressOptions,
  tls,
];
