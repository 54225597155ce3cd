export { serverVariables } from "../stacks/server.ts";
export { capture } from "./capture.ts";
export { compose, composeOutputs } from "./compose.ts";
export { manifests, manifestYaml } from "./manifests.ts";
export { captureTraced } from "./traced.ts";
