import type { Vendor } from "../../ports/vendor.ts";

export const google: Vendor = {
	id: "google",
	name: "Google AI Studio",
	// Its OpenAI-compatible layer is a beta that does not count reasoning as output, and reasoning is billed.
	// So such clients are translated.
	bases: {
		"google-generate": "https://generativelanguage.googleapis.com/v1beta",
	},
	// GOOGLE_API_KEY is not looked for: machines hold it for maps and much else.
	keyNames: ["GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"],
	auth: "x-goog-api-key",
	source:
		"https://ai.google.dev/api/generate-content and https://ai.google.dev/gemini-api/docs/openai",
};
