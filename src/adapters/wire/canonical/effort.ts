import type { Reasoning } from "../../../ports/canonical.ts";
import type { Warn } from "../../../ports/translator.ts";

export type Effort = NonNullable<Reasoning["effort"]>;

const ladder: readonly Effort[] = [
	"none",
	"minimal",
	"low",
	"medium",
	"high",
	"xhigh",
	"max",
];

/** The effort nearest to the one asked for that the vendor knows, where it does not know all; another than was asked is warned of. */
export function nearestEffort(
	effort: Effort,
	known: readonly string[] | undefined,
	warn: Warn,
): Effort {
	const found = nearest(effort, known);
	if (found !== effort)
		warn({
			kind: "changed",
			field: "reasoning.effort",
			message: `The nearest effort that this vendor knows was sent: ${found}.`,
		});
	return found;
}

/** Of two equally near, the higher. `none` never becomes some reasoning unless the vendor always reasons. */
function nearest(effort: Effort, known: readonly string[] | undefined): Effort {
	if (!known || known.includes(effort)) return effort;
	const wanted = ladder.indexOf(effort);
	let best = effort;
	let distance = Number.POSITIVE_INFINITY;
	for (const [place, each] of ladder.entries()) {
		const far = Math.abs(place - wanted);
		const switchedOff = each === "none" && effort !== "none";
		if (known.includes(each) && !switchedOff && far <= distance) {
			best = each;
			distance = far;
		}
	}
	return best;
}
