export {
	type Bond,
	type BoundCall,
	type BoundCalls,
	gatherBound,
} from "./bound.ts";
export {
	type CallData,
	callEvents,
	positionBefore,
	type Retold,
	retell,
} from "./call-log.ts";
export { sayPosture, settingsChanges } from "./changes.ts";
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
export {
	type InForceNow,
	openDesk,
	type RecordedInputs,
	type RoutingDesk,
	recordedInputs,
} from "./desk.ts";
export { explain, explainDecision, refusalOf } from "./explain.ts";
export {
	catalogueChanges,
	missingFacts,
	placeOf,
	type ToldFact,
	tellFacts,
} from "./facts.ts";
export { errorSteps } from "./health.ts";
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
	type DosField,
	readDosField,
	readNeedsHeader,
	readResumeHeader,
} from "./needs-header.ts";
export { packCatalogue, unpackCatalogue } from "./packed.ts";
export {
	type InForce,
	inForce,
	readInstant,
	readPostures,
	type Who,
} from "./postures.ts";
export { type Profile, type ProfileOf, readProfile } from "./profile.ts";
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
export {
	catalogueKey,
	catalogueStream,
	type InForceSince,
	policyKey,
	policyStream,
	type RoutingCommand,
	type RoutingState,
	refusedKey,
	routing,
	type SaidBy,
	tableKey,
	tableStream,
} from "./recorded.ts";
export { type Departure, openReplays, type Replays } from "./replays.ts";
export {
	idleRules,
	type RoutingProblem,
	type RoutingSettings,
	readRouting,
	stopsIn,
} from "./settings.ts";
export {
	defaultClasses,
	isAtLeast,
	keepsClass,
	type ReadClasses,
	readClasses,
} from "./sovereignty.ts";
export { defaultTable, readTable } from "./table.ts";
export { catalogueAt, withUnlisted } from "./unlisted.ts";
