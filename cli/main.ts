/** The entry of the CLI. What it begins with holds for what is imported after it. */
import "./start/priority.ts";
import "./start/resolve.ts";

await import("./program.ts");
