export { type CallSeen, qualityOf, readCalls } from "./calls.ts";
export {
	type Answer,
	type Check,
	judgeMessages,
	meets,
	readVerdict,
	type ToolCall,
} from "./checks.ts";
export { readSchema, type SchemaCheck, sameJson } from "./json-schema.ts";
export {
	learning,
	mostCases,
	mostSamples,
	mostSubstrates,
	runStream,
} from "./learning.ts";
export type {
	CaseFacts,
	LearningCommand,
	LearningEvent,
	Outcome,
	RunFacts,
	Sample,
	Signals,
	Verdict,
} from "./model.ts";
export {
	type NoProposal,
	type Proposal,
	type ProposeOptions,
	propose,
} from "./propose.ts";
export {
	type Difference,
	type Lacking,
	type Observation,
	observeCall,
	observeRun,
	type Report,
	type Row,
	reportOn,
} from "./report.ts";
export { findRun, listRuns, type Run } from "./runs.ts";
export {
	type AskedShape,
	openRepeats,
	type Repeats,
	signalsOf,
} from "./signals.ts";
