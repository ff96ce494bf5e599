export type { Access, Caller } from "./access.ts";
export { forwardable, ledgerDeciders } from "./deciders.ts";
export { describeFault, isStorage, toldToClient } from "./faults.ts";
export { type Gateway, type GatewayOptions, openGateway } from "./gateway.ts";
export type { KeptTurn, Turns } from "./kept-turns.ts";
export type { Metrics } from "./metrics.ts";
export {
	type HoldRules,
	type LedgerDeciders,
	type Report,
	statusOf,
} from "./model.ts";
export type { Quote } from "./quote.ts";
export { type Receipt, receiptOf } from "./receipts.ts";
export { recoverHolds } from "./recovery.ts";
export { respond } from "./respond.ts";
export type { ShadowOptions, ShadowRule } from "./shadow.ts";
export {
	type ActiveVendor,
	type ListedModel,
	openSubstrates,
	type Substrate,
	type Substrates,
} from "./substrates.ts";
