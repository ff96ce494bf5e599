import type { CanonicalRequest, Message } from "../../../ports/canonical.ts";
import type { Json, Warn } from "../../../ports/translator.ts";
import { present } from "../canonical/fields.ts";
import type { Effort, ModelRules } from "./models.ts";
import { ownData } from "./opaque.ts";

interface Thinking {
	readonly thinking?: Json;
	readonly effort?: Effort;
	/** The model thinks before it answers, and so takes no sampling. */
	readonly on: boolean;
}

const order: readonly Effort[] = ["low", "medium", "high", "xhigh", "max"];

/** Tokens of thinking that come to about an effort, for models that take only a number. */
const budgets: Readonly<Record<Effort, number>> = {
	low: 2_048,
	medium: 8_192,
	high: 16_384,
	xhigh: 24_576,
	max: 32_768,
};
const leastBudget = 1_024;

/** How much the model shall think, within its `limit` of output and what it takes. */
export function writeThinking(
	request: CanonicalRequest,
	rules: ModelRules,
	limit: number,
	warn: Warn,
): Thinking {
	const { reasoning } = request;
	if (!reasoning) return { on: false };
	const changed = (field: string, message: string): void =>
		warn({ kind: "changed", field: `reasoning.${field}`, message });
	const effort = writeEffort(reasoning.effort, rules, changed);
	if (reasoning.effort === "none" || reasoning.budget === 0)
		return unthinking(effort, rules, changed);
	if (reasoning.effort === undefined && !reasoning.adaptive) {
		const { budget, show } = reasoning;
		if (budget === undefined && (show === undefined || show === "none"))
			return { on: false };
	}
	const off = whyNot(request, rules);
	if (off !== undefined) {
		warn({ kind: "dropped", field: "reasoning", message: off });
		return {
			...present({ effort }),
			thinking: { type: "disabled" },
			on: false,
		};
	}
	const display =
		reasoning.show && (reasoning.show === "none" ? "omitted" : "summarized");
	if (reasoning.show === "concise" || reasoning.show === "detailed")
		changed("show", "The vendor sums reasoning up in one way only.");
	if (rules.adaptive && (reasoning.budget === undefined || reasoning.adaptive))
		return {
			...present({ effort }),
			thinking: present({ type: "adaptive", display }),
			on: true,
		};
	if (rules.adaptive && !rules.budget) {
		changed(
			"budget",
			"This model decides itself how much to think: an effort was sent.",
		);
		return {
			effort: effort ?? effortOf(reasoning.budget ?? 0),
			thinking: present({ type: "adaptive", display }),
			on: true,
		};
	}
	const wanted = reasoning.budget ?? budgets[effortFor(reasoning.effort)];
	if (reasoning.budget === undefined)
		changed(
			"effort",
			"This model takes a number of tokens to think, which was chosen after the effort.",
		);
	const room =
		reasoning.budget === undefined ? Math.floor(limit / 2) : limit - 1;
	if (room < leastBudget) {
		warn({
			kind: "dropped",
			field: "reasoning",
			message: "The limit of output leaves no room to think.",
		});
		return { ...present({ effort }), on: false };
	}
	const tokens = Math.max(leastBudget, Math.min(wanted, room));
	if (reasoning.budget !== undefined && tokens !== wanted)
		changed(
			"budget",
			"Tokens to think were brought between 1,024 and the limit of output.",
		);
	return {
		...present({ effort }),
		thinking: present({ type: "enabled", budget_tokens: tokens, display }),
		on: true,
	};
}

type Changed = (field: string, message: string) => void;

/** The effort that the model has and that is nearest below; none where it has no such setting. */
function writeEffort(
	effort: NonNullable<CanonicalRequest["reasoning"]>["effort"],
	{ efforts }: ModelRules,
	changed: Changed,
): Effort | undefined {
	if (effort === undefined || effort === "none" || efforts.length === 0)
		return undefined;
	const wanted = effortFor(effort);
	const found = order
		.slice(0, order.indexOf(wanted) + 1)
		.findLast((each) => efforts.includes(each));
	if (found !== effort)
		changed("effort", "The nearest effort that this model has was sent.");
	return found;
}

function effortFor(
	effort: NonNullable<CanonicalRequest["reasoning"]>["effort"],
): Effort {
	if (effort === undefined || effort === "none") return "medium";
	return effort === "minimal" ? "low" : effort;
}

function effortOf(budget: number): Effort {
	return order.find((each) => budget <= budgets[each]) ?? "max";
}

function unthinking(
	effort: Effort | undefined,
	rules: ModelRules,
	changed: Changed,
): Thinking {
	const tooHigh = effort === "xhigh" || effort === "max";
	switch (rules.unthinking) {
		case "never":
			changed("effort", "This model always thinks: the least effort was sent.");
			return { effort: "low", on: true };
		case "between-tools":
			changed("effort", "This model thinks between tools at the least.");
			return {
				...present({ effort: tooHigh ? "high" : effort }),
				thinking: { type: "between_tools" },
				on: true,
			};
		default: {
			if (tooHigh && rules.unthinking === "up-to-high")
				changed(
					"effort",
					"Without thinking this model has no higher effort than high.",
				);
			return {
				...present({
					effort:
						tooHigh && rules.unthinking === "up-to-high" ? "high" : effort,
				}),
				thinking: { type: "disabled" },
				on: false,
			};
		}
	}
}

/** Why a model that can be kept from thinking must be: the vendor refuses both together. */
function whyNot(
	{ toolChoice, messages, reasoning }: CanonicalRequest,
	rules: ModelRules,
): string | undefined {
	if (rules.unthinking === "never" || rules.unthinking === "between-tools")
		return undefined;
	if (
		toolChoice?.mode === "required" ||
		toolChoice?.mode === "tool" ||
		(toolChoice?.mode === "allowed" && toolChoice.required)
	)
		return "This model does not think where it is made to call a tool.";
	const byBudget =
		!rules.adaptive || (reasoning?.budget && !reasoning.adaptive);
	return byBudget && unsignedLoop(messages)
		? "The calls of tools under way were not made by this model while it thought, so it goes on without."
		: undefined;
}

/** The conversation ends in results of calls that hold none of this protocol's reasoning. */
function unsignedLoop(messages: readonly Message[]): boolean {
	const last = messages.findLast(
		({ role }) => role !== "system" && role !== "developer",
	);
	if (last?.role !== "tool") return false;
	const caller = messages.findLast((each) => each.role === "assistant");
	return (
		caller?.role === "assistant" &&
		!caller.parts.some(
			(part) => part.type === "reasoning" && ownData(part.opaque),
		)
	);
}
