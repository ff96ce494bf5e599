export { type Check, type CheckOptions, check, type Row } from "./check.ts";
export {
	applyFix,
	type FixContext,
	type Fixed,
	interruptedFix,
	type Undone,
	undoFix,
} from "./fix.ts";
export { type Manifest, readManifest } from "./manifest.ts";
export {
	isChained,
	type Operation,
	type Plan,
	planFix,
	type Refused,
} from "./plan.ts";
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
export function loadMigrate(): Promise<typeof import("./migrate.ts")> {
	return import("./migrate.ts");
}
export function loadPropose(): Promise<typeof import("./propose.ts")> {
	return import("./propose.ts");
}
