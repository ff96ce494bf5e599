import { isRecord } from "../request-body.ts";
import {
	type ReadCount,
	readUsage,
	type UsageReading,
} from "../usage-counts.ts";

type Report = Readonly<Record<string, unknown>>;

/**
 * Takes usage metadata apart into disjoint classes. `promptTokenCount` holds the cached tokens;
 * what the vendor's tools brought in, thoughts and the candidates' text stand beside it
 * (fixtures/thinking-stream.txt). `searches` are the searches that the answer shows.
 */
export function generateUsage(
	report: Report,
	ceiling: number | undefined,
	searches: number,
): UsageReading {
	return readUsage((count, doubt) => {
		// JSON of protocol buffers leaves out what is zero: a report with a total has it all.
		const prompt = count(report, "promptTokenCount") ?? 0;
		if (
			report.promptTokenCount === undefined &&
			report.totalTokenCount === undefined
		)
			return doubt("promptTokenCount is missing");
		const cached = count(report, "cachedContentTokenCount") ?? 0;
		if (cached > prompt)
			return doubt("cachedContentTokenCount is more than promptTokenCount");
		const brought = count(report, "toolUsePromptTokenCount") ?? 0;
		const prompted = modalities(report, "promptTokensDetails", count);
		const kept = modalities(report, "cacheTokensDetails", count);
		const used = modalities(report, "toolUsePromptTokensDetails", count);
		const audio = prompted.audio + used.audio;
		const images = prompted.image + used.image;
		const keptAudio = Math.min(kept.audio, audio);
		const keptImages = Math.min(kept.image, images);
		const freshAudio = audio - keptAudio;
		const freshImages = images - keptImages;
		const fresh = prompt - cached + brought;
		if (keptAudio > cached || freshAudio + freshImages > fresh)
			return doubt("parts of the prompt are more than promptTokenCount");

		const thoughts = count(report, "thoughtsTokenCount") ?? 0;
		let candidates = count(report, "candidatesTokenCount") ?? 0;
		const total = count(report, "totalTokenCount");
		// Some models count thoughts among the candidates; the total tells.
		if (
			thoughts > 0 &&
			candidates >= thoughts &&
			total === prompt + brought + candidates
		)
			candidates -= thoughts;
		const drawn = modalities(report, "candidatesTokensDetails", count);
		if (drawn.audio + drawn.image > candidates)
			return doubt("parts of the answer are more than candidatesTokenCount");
		const text = candidates - drawn.audio - drawn.image;
		if (ceiling !== undefined && text > ceiling)
			return doubt("candidatesTokenCount is far over the limit that was sent");
		return {
			input: fresh - freshAudio - freshImages,
			"input-audio": freshAudio,
			"input-image": freshImages,
			"cache-read": cached - keptAudio,
			"cache-read-audio": keptAudio,
			output: text,
			reasoning: thoughts,
			"output-audio": drawn.audio,
			"output-image": drawn.image,
			search: searches,
		};
	});
}

/** Of embeddings: only the prompt is counted, and by some models not at all. */
export function embedUsage(report: Report): UsageReading {
	return readUsage((count, doubt) => {
		const prompt = count(report, "promptTokenCount");
		if (prompt === undefined) return doubt("promptTokenCount is missing");
		const name =
			report.promptTokensDetails === undefined
				? "promptTokenDetails"
				: "promptTokensDetails";
		const { audio, image } = modalities(report, name, count);
		if (audio + image > prompt)
			return doubt("parts of the prompt are more than promptTokenCount");
		return {
			input: prompt - audio - image,
			"input-audio": audio,
			"input-image": image,
		};
	});
}

/**
 * How many searches are paid for: up to the second generation an answer that searched, since then
 * each search (ai.google.dev/gemini-api/docs/google-search, "Pricing").
 */
export function paidSearches(
	queries: ReadonlySet<string>,
	model: string | undefined,
): number {
	return queries.size > 0 && /(?:^|\/)gemini-[12]\b/.test(model ?? "")
		? 1
		: queries.size;
}

/** The searches that an answer's candidates show; empty ones are free. */
export function addQueries(candidates: unknown, queries: Set<string>): void {
	if (!Array.isArray(candidates)) return;
	for (const each of candidates) {
		const grounding = isRecord(each) ? each.groundingMetadata : undefined;
		if (!isRecord(grounding) || !Array.isArray(grounding.webSearchQueries))
			continue;
		for (const query of grounding.webSearchQueries)
			if (typeof query === "string" && query.trim() !== "") queries.add(query);
	}
}

function modalities(
	report: Report,
	name: string,
	count: ReadCount,
): { audio: number; image: number } {
	const sums = { audio: 0, image: 0 };
	const details = report[name];
	if (!Array.isArray(details)) return sums;
	for (const each of details) {
		if (!isRecord(each)) continue;
		if (each.modality === "AUDIO") sums.audio += count(each, "tokenCount") ?? 0;
		if (each.modality === "IMAGE") sums.image += count(each, "tokenCount") ?? 0;
	}
	return sums;
}
