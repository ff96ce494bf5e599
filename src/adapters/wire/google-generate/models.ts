/**
 * What models of this protocol take and what they refuse, where the vendor documents it:
 * ai.google.dev/gemini-api/docs/thinking, /thought-signatures, /function-calling ("Multimodal
 * function responses"), /media-resolution.
 */
export interface ModelRules {
	/** How thinking is steered: in levels, by a budget of tokens, or not at all. */
	readonly thinking: "levels" | "budget" | "none";
	/** Whether the lowest level, or no thinking, is to be had. */
	readonly least: boolean;
	/** Demands a signature on the first call of a step. */
	readonly signs: boolean;
	/** Takes media within a function's response. */
	readonly mediaInResults: boolean;
	/** Takes a resolution for each part. */
	readonly resolutions: boolean;
}

/** The rules for a model as its vendor names it. One that names no generation is taken for a new one. */
export function rulesFor(model: string): ModelRules {
	const name = model.toLowerCase();
	if (/\bgemma\b/.test(name)) return unthinking;
	const generation = /gemini-(\d+)(?:\.(\d+))?/.exec(name);
	if (!generation) return newest;
	const [major, minor] = [Number(generation[1]), Number(generation[2] ?? 0)];
	if (major >= 3)
		return /pro/.test(name) ? { ...newest, least: false } : newest;
	if (major === 2 && minor >= 5)
		return /pro/.test(name) ? { ...older, least: false } : older;
	return unthinking;
}

const newest: ModelRules = {
	thinking: "levels",
	least: true,
	signs: true,
	mediaInResults: true,
	resolutions: true,
};
const older: ModelRules = {
	thinking: "budget",
	least: true,
	signs: false,
	mediaInResults: false,
	resolutions: false,
};
const unthinking: ModelRules = { ...older, thinking: "none" };
