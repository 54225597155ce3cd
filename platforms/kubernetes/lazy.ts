/** Loads the Kubernetes client, when a command needs a cluster. */
export const loadKubernetes = () => import("./index.ts");
