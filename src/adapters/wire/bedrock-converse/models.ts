import {
	type ModelRules as ClaudeRules,
	rulesFor as claudeRules,
} from "../anthropic-messages/models.ts";

/**
 * What differs between the makers whose models Converse reaches: what it has no member for goes to
 * the model in its maker's own words. Facts from docs.aws.amazon.com/bedrock/latest/userguide/:
 * model-parameters, prompt-caching, structured-output; docs.aws.amazon.com/nova/latest/nova2-userguide.
 */
export type Family =
	| { readonly of: "claude"; readonly rules: ClaudeRules }
	| { readonly of: "nova" | "gpt" | "other" };

/** After the id of a model or inference profile, or its ARN. One that tells nothing is `other`. */
export function familyOf(model: string): Family {
	if (/anthropic|claude/.test(model))
		return { of: "claude", rules: claudeRules(model) };
	if (/amazon\.nova/.test(model)) return { of: "nova" };
	return { of: /openai\./.test(model) ? "gpt" : "other" };
}
