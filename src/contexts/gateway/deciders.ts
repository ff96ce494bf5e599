import { credits } from "../credits/index.ts";
import { learning } from "../learning/index.ts";
import type { Forwardable } from "../log/index.ts";
import { routing } from "../routing/index.ts";
import type { LedgerDeciders } from "./model.ts";
import { shadows } from "./shadow-log.ts";
import { sizing } from "./sizing.ts";
import { turns } from "./turns.ts";

/** What the head of the gateway's log decides by. */
export const ledgerDeciders: LedgerDeciders = {
	credits,
	sizing,
	turns,
	routing,
	learning,
	shadows,
};

/** What every call needs of the log: a fleet gathers it in one place. Each names a call, and is done once for it. */
export const forwardable: Forwardable = {
	credits: {
		hold: "credits-held",
		settle: "credits-settled",
		release: "credits-released",
	},
};
