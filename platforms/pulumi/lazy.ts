/** Loads the Automation API of Pulumi's SDK, when a command needs the engine. */
export const loadEngine = () => import("./index.ts");
