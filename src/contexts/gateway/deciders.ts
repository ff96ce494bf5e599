import { credits } from "../credits/index.ts";
import { learning } from "../learning/index.ts";
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
