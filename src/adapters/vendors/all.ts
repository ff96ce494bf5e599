import type { Vendor } from "../../ports/vendor.ts";
import { anthropic } from "./anthropic.ts";
import { azure } from "./azure.ts";
import { bedrock } from "./bedrock.ts";
import { cerebras } from "./cerebras.ts";
import { cloudflare } from "./cloudflare.ts";
import { cohere } from "./cohere.ts";
import { deepinfra } from "./deepinfra.ts";
import { deepseek } from "./deepseek.ts";
import { fireworks } from "./fireworks.ts";
import { githubModels } from "./github-models.ts";
import { google } from "./google.ts";
import { groq } from "./groq.ts";
import { huggingface } from "./huggingface.ts";
import { llamaCpp } from "./llama-cpp.ts";
import { lmStudio } from "./lm-studio.ts";
import { loopback } from "./loopback.ts";
import { minimax } from "./minimax.ts";
import { mistral } from "./mistral.ts";
import { moonshot } from "./moonshot.ts";
import { nebius } from "./nebius.ts";
import { novita } from "./novita.ts";
import { nvidia } from "./nvidia.ts";
import { ollama } from "./ollama.ts";
import { openai } from "./openai.ts";
import { openrouter } from "./openrouter.ts";
import { perplexity } from "./perplexity.ts";
import { qwen } from "./qwen.ts";
import { sambanova } from "./sambanova.ts";
import { together } from "./together.ts";
import { vertex } from "./vertex.ts";
import { vllm } from "./vllm.ts";
import { xai } from "./xai.ts";
import { zai } from "./zai.ts";

/** Every vendor we have a row for, in the order they are shown. */
export const vendors: readonly Vendor[] = [
	openai,
	anthropic,
	google,
	vertex,
	bedrock,
	azure,
	deepseek,
	mistral,
	xai,
	moonshot,
	zai,
	qwen,
	minimax,
	groq,
	cerebras,
	sambanova,
	together,
	fireworks,
	deepinfra,
	novita,
	nebius,
	nvidia,
	huggingface,
	cohere,
	perplexity,
	openrouter,
	cloudflare,
	githubModels,
	ollama,
	lmStudio,
	llamaCpp,
	vllm,
	loopback,
];

/** The price package's ids of our vendors, by our id, where they differ. */
export const priceIds: Readonly<Record<string, string>> = Object.fromEntries(
	vendors.flatMap(({ id, priceId }) =>
		priceId === undefined ? [] : [[id, priceId]],
	),
);
