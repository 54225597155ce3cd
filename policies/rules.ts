import { drills } from "./backups/drills.ts";
import { encryption } from "./backups/encryption.ts";
import { failureDomain } from "./backups/failureDomain.ts";
import { onTime } from "./backups/onTime.ts";
import { recoveryPoint } from "./backups/recoveryPoint.ts";
import { retention } from "./backups/retention.ts";
import { schedules } from "./backups/schedules.ts";
import { timeZones } from "./backups/timeZones.ts";
import { backedUpVolumes } from "./backups/volumes.ts";
import { anonGrants } from "./database/anonGrants.ts";
import { boundPolicies } from "./database/boundPolicies.ts";
import { bypassRoles } from "./database/bypassRoles.ts";
import { definerFunctions } from "./database/definerFunctions.ts";
import { destructive } from "./database/destructive.ts";
import { foreignKeys } from "./database/foreignKeys.ts";
import { isolation } from "./database/isolation.ts";
import { migrationLocks } from "./database/migrationLocks.ts";
import { perRowCalls } from "./database/perRowCalls.ts";
import { tablesWithPolicies } from "./database/policiesExist.ts";
import { policyIndexes } from "./database/policyIndexes.ts";
import { publicFunctions } from "./database/publicFunctions.ts";
import { rowSecurity } from "./database/rowSecurity.ts";
import { rowSecurityForced } from "./database/rowSecurityForced.ts";
import { searchPaths } from "./database/searchPaths.ts";
import { unfilteredGrants } from "./database/unfilteredGrants.ts";
import { userClaims } from "./database/userClaims.ts";
import { views } from "./database/views.ts";
import { writeChecks } from "./database/writeChecks.ts";
import { capabilities as dockerCapabilities } from "./docker/capabilities.ts";
import { healthCheck } from "./docker/healthCheck.ts";
import { hostNamespaces as dockerHostNamespaces } from "./docker/hostNamespaces.ts";
import { limits } from "./docker/limits.ts";
import { logs } from "./docker/logs.ts";
import { mounts } from "./docker/mounts.ts";
import { noNewPrivileges } from "./docker/noNewPrivileges.ts";
import { nonRoot } from "./docker/nonRoot.ts";
import { ports } from "./docker/ports.ts";
import { privileged as dockerPrivileged } from "./docker/privileged.ts";
import { readOnlyRoot as dockerReadOnlyRoot } from "./docker/readOnlyRoot.ts";
import { restart } from "./docker/restart.ts";
import { allowPrivilegeEscalation } from "./kubernetes/allowPrivilegeEscalation.ts";
import { appArmor } from "./kubernetes/appArmor.ts";
import { capabilities } from "./kubernetes/capabilities.ts";
import { defaultNamespace } from "./kubernetes/defaultNamespace.ts";
import { highUserId } from "./kubernetes/highUserId.ts";
import { hostNamespaces } from "./kubernetes/hostNamespaces.ts";
import { hostPorts } from "./kubernetes/hostPorts.ts";
import { hostProbes } from "./kubernetes/hostProbes.ts";
import { hostProcess } from "./kubernetes/hostProcess.ts";
import { privileged } from "./kubernetes/privileged.ts";
import { procMount } from "./kubernetes/procMount.ts";
import { rbacWildcards } from "./kubernetes/rbacWildcards.ts";
import { readOnlyRoot } from "./kubernetes/readOnlyRoot.ts";
import { resources } from "./kubernetes/resources.ts";
import { runAsNonRoot } from "./kubernetes/runAsNonRoot.ts";
import { runAsUser } from "./kubernetes/runAsUser.ts";
import { seccomp } from "./kubernetes/seccomp.ts";
import { seLinux } from "./kubernetes/seLinux.ts";
import { serviceAccountToken } from "./kubernetes/serviceAccountToken.ts";
import { sysctls } from "./kubernetes/sysctls.ts";
import { volumeTypes } from "./kubernetes/volumeTypes.ts";
import { defaultDeny } from "./network/defaultDeny.ts";
import { gatewayRoutes } from "./network/gatewayRoutes.ts";
import { openings } from "./network/openings.ts";
import { podSecurityLabels } from "./network/podSecurityLabels.ts";
import { publicServices } from "./network/publicServices.ts";
import { tls } from "./network/tls.ts";
import { disruption } from "./rollout/disruption.ts";
import { graceful } from "./rollout/graceful.ts";
import { probes } from "./rollout/probes.ts";
import { protectedData } from "./rollout/protectedData.ts";
import { slots } from "./rollout/slots.ts";
import { spread } from "./rollout/spread.ts";
import { weights } from "./rollout/weights.ts";
import { serviceRole } from "./secrets/serviceRole.ts";
import type { Rule } from "./model/rule.ts";
import { secretEnvironment } from "./secrets/environment.ts";
import { literals } from "./secrets/literals.ts";
import { secretMarks } from "./secrets/marked.ts";
import { backupAge } from "./slo/backupAge.ts";
import { downAlerts } from "./slo/downAlerts.ts";
import { objectives } from "./slo/objectives.ts";
import { scraped } from "./slo/scraped.ts";
import { billsOfMaterials } from "./supply-chain/billsOfMaterials.ts";
import { digests } from "./supply-chain/digests.ts";
import { registries } from "./supply-chain/registries.ts";
import { signatures } from "./supply-chain/signatures.ts";
import { tags } from "./supply-chain/tags.ts";

/** Every rule of the pack, in the order of reports. */
export const RULES: readonly Rule[] = [
  // Pod Security Standards, profile restricted
  hostProcess,
  hostNamespaces,
  privileged,
  capabilities,
  volumeTypes,
  hostPorts,
  hostProbes,
  appArmor,
  seLinux,
  procMount,
  seccomp,
  sysctls,
  allowPrivilegeEscalation,
  runAsNonRoot,
  runAsUser,
  // Kubernetes, beyond it
  readOnlyRoot,
  resources,
  serviceAccountToken,
  rbacWildcards,
  highUserId,
  defaultNamespace,
  // Docker
  nonRoot,
  dockerPrivileged,
  dockerCapabilities,
  noNewPrivileges,
  dockerReadOnlyRoot,
  dockerHostNamespaces,
  mounts,
  limits,
  ports,
  healthCheck,
  restart,
  logs,
  // Supply chain
  digests,
  tags,
  registries,
  signatures,
  billsOfMaterials,
  // Secrets
  literals,
  secretMarks,
  secretEnvironment,
  serviceRole,
  // Network
  podSecurityLabels,
  defaultDeny,
  openings,
  publicServices,
  gatewayRoutes,
  tls,
  // Rollout
  probes,
  graceful,
  disruption,
  spread,
  slots,
  weights,
  protectedData,
  // Database
  rowSecurity,
  rowSecurityForced,
  boundPolicies,
  isolation,
  writeChecks,
  userClaims,
  views,
  definerFunctions,
  searchPaths,
  publicFunctions,
  anonGrants,
  unfilteredGrants,
  bypassRoles,
  tablesWithPolicies,
  policyIndexes,
  perRowCalls,
  foreignKeys,
  migrationLocks,
  destructive,
  // Backups
  schedules,
  onTime,
  timeZones,
  retention,
  recoveryPoint,
  drills,
  failureDomain,
  encryption,
  backedUpVolumes,
  // Service levels
  scraped,
  downAlerts,
  objectives,
  backupAge,
];
