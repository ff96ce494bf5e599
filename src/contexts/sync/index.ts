export {
	type Check,
	type CheckOptions,
	check,
	type Progress,
	type Row,
} from "./check.ts";
export type { FixContext, Fixed, Undone } from "./fix.ts";
export type { Manifest } from "./manifest.ts";
export { nearest } from "./manifest-reader.ts";
export type { Operation, Plan, Refused } from "./plan.ts";
export { readManifest } from "./read-manifest.ts";
export { openStore, type Store } from "./store.ts";
export {
	contentOf,
	type Fact,
	isInSync,
	type Status,
	statuses,
} from "./verdict.ts";

/** What few runs need is loaded when it is asked for. */
export function loadDiff(): Promise<typeof import("./diff.ts")> {
	return import("./diff.ts");
}
export function loadFix(): Promise<typeof import("./fix.ts")> {
	return import("./fix.ts");
}
export function loadMigrate(): Promise<typeof import("./migrate.ts")> {
	return import("./migrate.ts");
}
export function loadPlan(): Promise<typeof import("./plan.ts")> {
	return import("./plan.ts");
}
export function loadPropose(): Promise<typeof import("./propose.ts")> {
	return import("./propose.ts");
}
