import {
	answerDepth,
	type Member,
	member,
	scanMembers,
} from "../json-members.ts";
import { isRecord } from "../request-body.ts";
import { microCreditsOfUsd } from "../usd.ts";

/**
 * What a usage report says the call cost, from the digits as they were written: `cost` in US dollars
 * (OpenRouter; with one's own key there, what the vendor behind it takes comes on top), or
 * `cost_in_usd_ticks` of 1e-10 dollars (xAI).
 */
export function reportedCost(
	usage: Readonly<Record<string, unknown>>,
	bytes: Buffer,
): number | undefined {
	if (typeof usage.cost === "number") {
		const cost = text(bytes, "cost");
		const behind =
			usage.is_byok === true &&
			isRecord(usage.cost_details) &&
			typeof usage.cost_details.upstream_inference_cost === "number"
				? text(bytes, "cost_details", "upstream_inference_cost")
				: "0";
		return cost === undefined || behind === undefined
			? undefined
			: microCreditsOfUsd(cost, behind);
	}
	if (typeof usage.cost_in_usd_ticks === "number") {
		const ticks = text(bytes, "cost_in_usd_ticks");
		return ticks === undefined || !/^\d+$/.test(ticks)
			? undefined
			: microCreditsOfUsd(`${ticks}e-10`);
	}
	return undefined;
}

/** The digits of a number, by the path of names that leads to it. */
function text(bytes: Buffer, ...path: readonly string[]): string | undefined {
	let found: Member | undefined;
	for (const name of path) {
		const scan = scanMembers(bytes, found?.valueStart ?? 0, answerDepth);
		found = typeof scan === "object" ? member(scan, name) : undefined;
		if (!found) return undefined;
	}
	return found && bytes.toString("latin1", found.valueStart, found.valueEnd);
}
