import type { Usage, UsageClass } from "../../../ports/price-book.ts";
import type { Json } from "../../../ports/translator.ts";
import { present } from "../canonical/fields.ts";

/** Usage as the protocol reports it: the prompt with what was cached, thoughts beside the candidates. */
export function writeUsage(usage: Usage, serviceTier?: string): Json {
	const of = (...classes: readonly UsageClass[]) =>
		classes.reduce((sum, each) => sum + (usage[each] ?? 0), 0);
	const cached = of("cache-read", "cache-read-audio");
	const heard = of("input-audio", "cache-read-audio");
	const seen = of("input-image");
	const written = of("cache-write-5m", "cache-write-1h");
	const prompt = of("input", "input-audio", "input-image") + cached + written;
	const [spoken, drawn] = [of("output-audio"), of("output-image")];
	const candidates = of("output") + spoken + drawn;
	const thoughts = of("reasoning");
	return present({
		promptTokenCount: prompt,
		cachedContentTokenCount: cached || undefined,
		candidatesTokenCount: candidates,
		thoughtsTokenCount: thoughts || undefined,
		totalTokenCount: prompt + candidates + thoughts,
		promptTokensDetails: details(prompt, heard, seen),
		cacheTokensDetails: details(cached, of("cache-read-audio"), 0),
		candidatesTokensDetails: details(candidates, spoken, drawn),
		serviceTier,
	});
}

function details(
	all: number,
	audio: number,
	image: number,
): readonly Json[] | undefined {
	const counts = [
		["TEXT", all - audio - image],
		["AUDIO", audio],
		["IMAGE", image],
	] as const;
	const there = counts.filter(([, tokenCount]) => tokenCount > 0);
	return there.length === 0
		? undefined
		: there.map(([modality, tokenCount]) => ({ modality, tokenCount }));
}
