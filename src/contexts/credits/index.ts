export { dayOf, endOfDay, endOfMonth, monthOf } from "./calendar.ts";
export { credits } from "./credits.ts";
export { accountStream, resolutionKey } from "./decisions.ts";
export { allowsModel, findKeyBySecret, keyHint, whyUnusable } from "./keys.ts";
export { available, type CapWindow } from "./limits.ts";
export type {
	Account,
	Attempts,
	Caps,
	CostBasis,
	CostLine,
	CostPart,
	CreditsCommand,
	CreditsEvent,
	CreditsState,
	DataOf,
	Ending,
	Hold,
	Key,
	Scopes,
	Spending,
} from "./model.ts";
export {
	type Ceiling,
	ceilingPriceBook,
	freePriceBook,
	layeredPriceBook,
} from "./price-layers.ts";
export {
	maximumCost,
	type PricedUsage,
	type PricingOptions,
	pricesAll,
	priceUsage,
	type UsageBound,
} from "./pricing.ts";
export {
	type AccountView,
	type CapView,
	type HoldView,
	type KeyView,
	viewAccount,
	viewKey,
} from "./view.ts";
