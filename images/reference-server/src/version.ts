/** Version of the reference server itself; RELEASE names what was deployed. */
export const VERSION = "1.0.0";
