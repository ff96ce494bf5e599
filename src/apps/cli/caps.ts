import type { Caps, CapView } from "../../contexts/credits/index.ts";
import { formatCredits, type MicroCredits } from "../../kernel/money.ts";
import { timeText } from "./amounts.ts";
import { table } from "./table.ts";

type Cap = MicroCredits | "none";

/** The `--cap-…` options of a command. */
export interface CapOptions {
	readonly capTotal?: Cap;
	readonly capMonth?: Cap;
	readonly capDay?: Cap;
	readonly capRequest?: Cap;
}

/** The caps with what the options change; undefined when they change nothing. */
export function changedCaps(caps: Caps, options: CapOptions): Caps | undefined {
	const asked = {
		total: options.capTotal,
		month: options.capMonth,
		day: options.capDay,
		request: options.capRequest,
	};
	if (Object.values(asked).every((cap) => cap === undefined)) return undefined;
	const changed: Record<string, MicroCredits | undefined> = { ...caps };
	for (const [name, cap] of Object.entries(asked)) {
		if (cap !== undefined) changed[name] = cap === "none" ? undefined : cap;
	}
	return changed;
}

export function capsTable(caps: readonly CapView[]): string {
	return table(
		[
			{ title: "cap" },
			{ title: "of", align: "right" },
			{ title: "spent", align: "right" },
			{ title: "held", align: "right" },
			{ title: "left", align: "right" },
			{ title: "anew (UTC)" },
		],
		caps.map(({ of, window, cap, spent, held, left, resetsAt }) => [
			`${of} ${window === "total" ? "total" : `per ${window}`}`,
			...(window === "request"
				? [formatCredits(cap), "", "", ""]
				: [cap, spent, held, left].map(formatCredits)),
			resetsAt === undefined ? "" : timeText(resetsAt).slice(0, 10),
		]),
	);
}
