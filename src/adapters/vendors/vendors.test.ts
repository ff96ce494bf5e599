import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { spoken } from "../wire/all.ts";
import { priceIds, vendors } from "./all.ts";
import { baseAddress } from "./base-address.ts";
import { fill, findParameters, parametersIn } from "./parameters.ts";

const protocols = spoken.map(({ wire }) => wire.id);

/** Words of `takes` and `lacks` that an adapter knows. */
const taken = [
	"audio_data",
	"cache_control",
	"document_url",
	"file_url",
	"image_output",
	"input_audio",
	"metadata",
	"prompt_cache_breakpoint",
	"random_seed",
	"reasoning",
	"reasoning_content",
	"reasoning_details",
	"response_format",
	"thinking",
	"tool_name",
	"top_k",
	"video_url",
	"web_search",
];
const refused = [
	"allowed_tools",
	"audio",
	"custom",
	"detail",
	"developer",
	"file",
	"frequency_penalty",
	"include",
	"includeServerSideToolInvocations",
	"input_audio",
	"input_file",
	"logprobs",
	"max_tool_calls",
	"metadata",
	"n",
	"name",
	"output_parts",
	"parallel_tool_calls",
	"parameterless",
	"parts",
	"presence_penalty",
	"prompt_cache_key",
	"reasoning_effort",
	"safety_identifier",
	"seed",
	"service_tier",
	"serviceTier",
	"strict",
	"summary",
	"temperature",
	"text",
	"tool_choice",
	"top_logprobs",
	"top_p",
	"user",
	"verbosity",
	"web_search_options",
];

/** Machines hold these for other things than calling models. */
const notForModels =
	/^(GITHUB_TOKEN|GH_TOKEN|HF_TOKEN|GOOGLE_API_KEY|CLOUDFLARE_API_(TOKEN|KEY)|AWS_(ACCESS|SECRET).*|AZURE_CLIENT_.*|GOOGLE_APPLICATION_CREDENTIALS)$/;

it("there are the vendors that are asked for, and one of our own", () => {
	const asked = [
		..."openai anthropic google vertex bedrock azure deepseek mistral xai moonshot".split(
			" ",
		),
		..."zai qwen minimax groq cerebras sambanova together fireworks deepinfra".split(
			" ",
		),
		..."novita nebius nvidia huggingface cohere perplexity openrouter cloudflare".split(
			" ",
		),
		..."github-models ollama lm-studio llama-cpp vllm loopback".split(" "),
	];
	expect(vendors.map(({ id }) => id)).toEqual(expect.arrayContaining(asked));
});

it("every row that has a file is in the list", () => {
	const folder = new URL(".", import.meta.url);
	const written = readdirSync(folder)
		.filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
		.flatMap((name) => [
			...readFileSync(new URL(name, folder), "utf8").matchAll(
				/: Vendor = \{\s+id: "([^"]+)"/g,
			),
		])
		.map(([, id]) => id);
	expect(written.toSorted()).toEqual(vendors.map(({ id }) => id).toSorted());
});

describe.each(vendors.map((vendor) => [vendor.id, vendor] as const))(
	"the row of %s",
	(id, vendor) => {
		it("has a name, an id of its own and a source", () => {
			expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
			expect(vendors.filter((other) => other.id === id)).toHaveLength(1);
			expect(vendor.name).not.toBe("");
			expect(vendor.source).toMatch(/^(https:\/\/\S+\.\S+|docs\/)/);
		});

		it("has base addresses that may be called, by protocols we speak", () => {
			const example = Object.fromEntries(
				Object.keys(vendor.parameters ?? {}).map((name) => [name, "example-1"]),
			);
			const { values } = findParameters(vendor, {}, example);
			expect(Object.keys(vendor.bases).length).toBeGreaterThan(0);
			for (const [protocol, base] of Object.entries(vendor.bases)) {
				expect(protocols).toContain(protocol);
				const filled = fill(base, values);
				if (id === "loopback") expect(base).toBe(`loopback://${protocol}`);
				else expect(baseAddress(filled)).toEqual({ ok: true, value: filled });
				// Only a server on the owner's machine is called without TLS.
				expect(base.startsWith("http:")).toBe(vendor.local === true);
			}
		});

		it("has no place without a parameter, and no parameter without a place", () => {
			const bases = Object.values(vendor.bases).join(" ");
			const names = Object.keys(vendor.parameters ?? {});
			expect(parametersIn(bases, vendor)).toEqual(names);
			const { values } = findParameters(
				vendor,
				{},
				Object.fromEntries(names.map((name) => [name, "x"])),
			);
			for (const [, place] of bases.matchAll(/\{(\w+)\}/g))
				expect(Object.keys(values)).toContain(place);
		});

		it("says how its key is found and sent", () => {
			for (const name of vendor.keyNames) {
				expect(name).toMatch(/^[A-Z][A-Z0-9_]+$/);
				expect(name).not.toMatch(notForModels);
			}
			expect(vendor.auth === "none").toBe(
				vendor.keyNames.length === 0 && !vendor.credentials,
			);
			if (typeof vendor.auth === "object")
				expect(Object.keys(vendor.auth)).toEqual(Object.keys(vendor.bases));
			expect(vendor.baseName !== undefined).toBe(vendor.local === true);
		});

		it("claims only quirks that mean something", () => {
			const {
				takes = [],
				lacks = [],
				efforts = [],
				callIdLength = 1,
				...flags
			} = vendor.quirks ?? {};
			for (const value of Object.values(flags)) expect(value).toBe(true);
			for (const word of takes) expect(taken).toContain(word);
			for (const word of lacks) expect(refused).toContain(word);
			expect(new Set(lacks).size).toBe(lacks.length);
			for (const effort of efforts)
				expect(effort).toMatch(/^(none|minimal|low|medium|high|xhigh|max)$/);
			expect(callIdLength).toBeGreaterThan(0);
		});
	},
);

it("no two vendors look for their key in the same place", () => {
	const names = vendors.flatMap(({ keyNames, baseName }) => [
		...keyNames,
		...(baseName ? [baseName] : []),
	]);
	expect(new Set(names).size).toBe(names.length);
});

it("the price package's names are known where they differ", () => {
	expect(priceIds).toEqual({
		xai: "x-ai",
		moonshot: "moonshotai",
		bedrock: "aws",
		vertex: "google",
	});
});
