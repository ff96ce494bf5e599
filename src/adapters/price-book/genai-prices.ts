import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type {
	ConditionalPrice,
	ModelInfo,
	ModelPrice,
	TieredPrices,
} from "@pydantic/genai-prices";
import type {
	ModelFacts,
	PriceBook,
	PriceSheet,
	Rate,
	UsageClass,
} from "../../ports/price-book.ts";
import { microPrice } from "./micro-price.ts";

const packageName = "@pydantic/genai-prices";

export interface GenaiPriceOptions {
	/** The package's id of a vendor, by our id, where they differ. */
	readonly vendorIds?: Readonly<Record<string, string>>;
}

/**
 * The list prices of the price package: its own data, no network. Loads it on this call (some 40 ms);
 * from then on `find` is a look-up, once a model has been asked for. A model that the package gives
 * no price of, or only part of one, is unknown here, and never free of charge: zero is a price only
 * where the package says 0 for input and output.
 */
export async function genaiPriceBook({
	vendorIds = {},
}: GenaiPriceOptions = {}): Promise<PriceBook> {
	const { calcPrice, waitForUpdate } = await import("@pydantic/genai-prices");
	const providers = new Map(
		((await waitForUpdate()) ?? []).map((provider) => [provider.id, provider]),
	);
	const source = `genai-prices@${packageVersion()}`;
	const known = new Map<string, Map<string, readonly DatedSheet[]>>();

	function sheetsOf(vendor: string, model: string): readonly DatedSheet[] {
		const models =
			known.get(vendor) ?? new Map<string, readonly DatedSheet[]>();
		known.set(vendor, models);
		let sheets = models.get(model);
		if (!sheets) {
			// By exact id alone: the package also guesses a provider from parts of a name.
			const provider = providers.get(vendorIds[vendor] ?? vendor);
			const found =
				provider && model.length <= 256
					? calcPrice({}, model, { providerId: provider.id })?.model
					: undefined;
			sheets = found ? datedSheets(`${source}/${vendor}`, found) : [];
			// Names come from callers: what is remembered of them has to end somewhere.
			if (models.size >= 10_000) models.clear();
			models.set(model, sheets);
		}
		return sheets;
	}

	return {
		version: source,
		find: (vendor, model, at) => inForce(sheetsOf(vendor, model), at)?.sheet,
		models(vendor) {
			const provider = providers.get(vendorIds[vendor] ?? vendor);
			return (provider?.models ?? [])
				.filter((model) =>
					datedSheets(source, model).some(({ sheet }) => sheet),
				)
				.map(
					({ id, context_window }): ModelFacts =>
						context_window === undefined
							? { model: id }
							: { model: id, contextWindow: context_window },
				);
		},
	};
}

/** A model's prices under one of the package's conditions. */
export interface DatedSheet {
	readonly sheet: PriceSheet | undefined;
	/** Absent: whenever no other is. */
	readonly appliesAt?: (at: number) => boolean;
}

/** The last one whose condition holds, as the package means it; when none holds, the first. */
function inForce(
	sheets: readonly DatedSheet[],
	at: number,
): DatedSheet | undefined {
	return (
		sheets.findLast(({ appliesAt }) => appliesAt?.(at) ?? true) ?? sheets[0]
	);
}

/** A model's price variants in the package's order. An undefined sheet: only half known, or not at all. */
export function datedSheets(
	prefix: string,
	model: ModelInfo,
): readonly DatedSheet[] {
	const prices: readonly ConditionalPrice[] = Array.isArray(model.prices)
		? model.prices
		: [{ prices: model.prices }];
	return prices.map(({ prices, constraint }) => {
		const rates = ratesOf(prices);
		const id = `${prefix}/${model.id}`;
		if (!constraint) return { sheet: rates && { id, rates } };
		if (constraint.type === "start_date") {
			const start = Date.parse(constraint.start_date);
			return {
				sheet: rates && { id: `${id}@${constraint.start_date}`, rates },
				appliesAt: (at) => at >= start,
			};
		}
		const { start_time, end_time } = constraint;
		const [start, end] = [timeOfDay(start_time), timeOfDay(end_time)];
		return {
			sheet: rates && { id: `${id}@${start_time}-${end_time}`, rates },
			appliesAt(at) {
				const time = ((at % 86_400_000) + 86_400_000) % 86_400_000;
				return end < start
					? time >= start || time < end
					: time >= start && time < end;
			},
		};
	});
}

/** Milliseconds after midnight UTC of "16:30:00Z" or "18:30:00+02:00". */
function timeOfDay(text: string): number {
	return (
		(((Date.parse(`1970-01-01T${text}`) || 0) % 86_400_000) + 86_400_000) %
		86_400_000
	);
}

/** Our class of each of the package's price keys, and how many units that price is for. */
const keys: Readonly<
	Record<string, readonly [UsageClass, 1000 | 3600 | 1_000_000]>
> = {
	input_mtok: ["input", 1_000_000],
	cache_read_mtok: ["cache-read", 1_000_000],
	cache_write_mtok: ["cache-write-5m", 1_000_000],
	// More exact than the one before, so it stands behind it and wins.
	cache_write_5m_mtok: ["cache-write-5m", 1_000_000],
	cache_write_1h_mtok: ["cache-write-1h", 1_000_000],
	input_audio_mtok: ["input-audio", 1_000_000],
	cache_audio_read_mtok: ["cache-read-audio", 1_000_000],
	input_image_mtok: ["input-image", 1_000_000],
	cache_image_read_mtok: ["cache-read-image", 1_000_000],
	output_mtok: ["output", 1_000_000],
	output_reasoning_mtok: ["reasoning", 1_000_000],
	output_audio_mtok: ["output-audio", 1_000_000],
	output_image_mtok: ["output-image", 1_000_000],
	web_searches_kcount: ["search", 1000],
	requests_kcount: ["request", 1000],
	input_audio_hours: ["audio-second", 3600],
};

/** Prices of things that no operation of ours counts: they take nothing away from the others' being whole. */
const notCounted: ReadonlySet<string> = new Set([
	"audio_hours",
	"input_document_kpages",
	"input_annotated_document_kpages",
	"input_text_messages_kcount",
	"input_video_mtok",
	"output_video_mtok",
	"output_citation_mtok",
	"storage_searches_kcount",
]);

/** Undefined when the price is only half known: a key we cannot read, no price for input, or for output of another kind alone. */
function ratesOf(prices: ModelPrice): PriceSheet["rates"] | undefined {
	if (
		Object.entries(prices).some(
			([key, price]) =>
				price !== undefined && !keys[key] && !notCounted.has(key),
		)
	)
		return undefined;
	const rates: Partial<Record<UsageClass, readonly Rate[]>> = {};
	for (const [key, [name, perUnits]] of Object.entries(keys)) {
		const price = prices[key];
		if (price === undefined) continue;
		const converted = convert(price, perUnits);
		if (!converted) return undefined;
		rates[name] = converted;
	}
	const { input, output, reasoning, ...rest } = rates;
	// Sound that is paid by the second needs no other price.
	if (!input)
		return rates["audio-second"] && Object.keys(rates).length === 1
			? rates
			: undefined;
	if (!output) {
		// Embeddings have no output. Whoever asks such a sheet for an output price is refused, as it has none.
		const embeds = !reasoning && !rest["output-audio"] && !rest["output-image"];
		const costs = input.every(({ price }) => price > 0);
		if (!embeds || !costs) return undefined;
	}
	return rates;
}

function convert(
	price: number | TieredPrices,
	perUnits: 1000 | 3600 | 1_000_000,
): readonly Rate[] | undefined {
	const steps =
		typeof price === "number"
			? [{ from: 0, usd: price }]
			: [
					{ from: 0, usd: price.base },
					// The package's tiers begin above their start.
					...price.tiers
						.map(({ start, price }) => ({ from: start + 1, usd: price }))
						.sort((one, other) => one.from - other.from),
				];
	const rates: Rate[] = [];
	for (const { from, usd } of steps) {
		const converted = microPrice(usd, perUnits);
		if (!converted) return undefined;
		rates.push({ from, price: converted.price });
	}
	return rates;
}

function packageVersion(): string {
	const main = createRequire(import.meta.url).resolve(packageName);
	const manifest = main.slice(
		0,
		main.lastIndexOf("genai-prices") + "genai-prices".length,
	);
	return (
		JSON.parse(readFileSync(`${manifest}/package.json`, "utf8")) as {
			version: string;
		}
	).version;
}
