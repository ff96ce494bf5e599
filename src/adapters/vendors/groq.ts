import type { Vendor } from "../../ports/vendor.ts";

export const groq: Vendor = {
	id: "groq",
	name: "Groq",
	bases: { "openai-chat": "https://api.groq.com/openai/v1" },
	keyNames: ["GROQ_API_KEY"],
	auth: "bearer",
	quirks: { noEmbeddings: true },
	source: "https://console.groq.com/docs/openai",
};
