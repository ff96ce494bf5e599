export {
	openCheckpoint,
	type SignedCheckpoint,
	signCheckpoint,
	signerKey,
	type Trust,
} from "./checkpoint.ts";
export { type Copied, type CopyOptions, copyLog } from "./copy.ts";
export {
	type Forwardable,
	type Forwarding,
	openForwarding,
} from "./forwarding.ts";
export {
	type Deciders,
	type Head,
	type HeadOptions,
	type Intent,
	openHead,
	type Recorded,
} from "./head.ts";
export {
	type ExportOptions,
	type ExportPart,
	exportLog,
	type ImportOptions,
	importLog,
	type Restored,
	type RestoreOptions,
	restoreLog,
} from "./portable.ts";
export {
	openProjector,
	type Projector,
	type ProjectorOptions,
} from "./projector.ts";
export {
	checkProof,
	type ProofBundle,
	type Proved,
	type ProveOptions,
	proveEvent,
} from "./prove.ts";
export { type LogTree, openTree, type TreeOptions } from "./tree.ts";
export {
	type Audit,
	type Finding,
	type FindingCode,
	type VerifyOptions,
	verifyLog,
} from "./verify.ts";
