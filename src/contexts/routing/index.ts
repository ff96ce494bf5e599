export {
	type Choice,
	createRouter,
	type Decide,
	type Decision,
	type Dropped,
	decide,
	type Router,
	readAsked,
} from "./decide.ts";
export { explain, explainDecision, refusalOf } from "./explain.ts";
export { infer } from "./infer.ts";
export type {
	Asked,
	BrokenPosture,
	Capability,
	Difficulty,
	Grade,
	Health,
	HealthSnapshot,
	InferredNeeds,
	OwnerTable,
	Policy,
	Posture,
	RouteRequest,
	Scope,
	Selector,
	SovereigntyClass,
	StatedNeeds,
	TableRow,
} from "./model.ts";
export { joinNeeds, readNeeds } from "./needs.ts";
export {
	type InForce,
	inForce,
	readInstant,
	readPostures,
	type Who,
} from "./postures.ts";
export {
	type Attempt,
	type DecisionRecord,
	expand,
	type Inputs,
	type Replay,
	recordOf,
	replay,
	type ShortRequest,
} from "./record.ts";
export { idleRules, type RoutingSettings, readRouting } from "./settings.ts";
export {
	defaultClasses,
	isAtLeast,
	type ReadClasses,
	readClasses,
} from "./sovereignty.ts";
export { defaultTable, readTable } from "./table.ts";
export { catalogueAt, withUnlisted } from "./unlisted.ts";
