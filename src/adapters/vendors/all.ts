import type { Vendor } from "../../ports/vendor.ts";
import { anthropic } from "./anthropic.ts";
import { cerebras } from "./cerebras.ts";
import { deepseek } from "./deepseek.ts";
import { fireworks } from "./fireworks.ts";
import { groq } from "./groq.ts";
import { lmStudio } from "./lm-studio.ts";
import { loopback } from "./loopback.ts";
import { mistral } from "./mistral.ts";
import { moonshot } from "./moonshot.ts";
import { ollama } from "./ollama.ts";
import { openai } from "./openai.ts";
import { openrouter } from "./openrouter.ts";
import { together } from "./together.ts";
import { vllm } from "./vllm.ts";
import { xai } from "./xai.ts";

/** Every vendor we have a row for, in the order they are shown. */
export const vendors: readonly Vendor[] = [
	openai,
	anthropic,
	deepseek,
	mistral,
	xai,
	groq,
	together,
	fireworks,
	cerebras,
	moonshot,
	openrouter,
	ollama,
	lmStudio,
	vllm,
	loopback,
];

/** The price package's ids of our vendors, by our id, where they differ. */
export const priceIds: Readonly<Record<string, string>> = Object.fromEntries(
	vendors.flatMap(({ id, priceId }) =>
		priceId === undefined ? [] : [[id, priceId]],
	),
);
