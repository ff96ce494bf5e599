import type { Vendor } from "../../ports/vendor.ts";

export const vertex: Vendor = {
	id: "vertex",
	name: "Vertex AI",
	// Models of other makers have addresses of their own kind there, and names of their own in its OpenAI-compatible layer.
	bases: {
		"google-generate":
			"https://{host}/v1/projects/{project}/locations/{location}/publishers/google",
	},
	parameters: {
		project: { names: ["GOOGLE_VERTEX_PROJECT", "GOOGLE_CLOUD_PROJECT"] },
		// Nobody is sent to `global` unasked: it processes anywhere. A region is called at its own host, so it stays there.
		location: {
			names: ["GOOGLE_VERTEX_LOCATION", "GOOGLE_CLOUD_LOCATION"],
			places: {
				host: {
					global: "aiplatform.googleapis.com",
					us: "aiplatform.us.rep.googleapis.com",
					eu: "aiplatform.eu.rep.googleapis.com",
					"*": "{location}-aiplatform.googleapis.com",
				},
			},
		},
	},
	keyNames: [],
	auth: "bearer",
	credentials: {
		of: "login",
		scope: "https://www.googleapis.com/auth/cloud-platform",
	},
	priceId: "google",
	// Tiers are asked for in a header there.
	quirks: {
		noEmbeddings: true,
		lacks: ["serviceTier", "includeServerSideToolInvocations"],
	},
	source:
		"https://docs.cloud.google.com/gemini-enterprise-agent-platform/resources/locations and https://cloud.google.com/docs/authentication/application-default-credentials",
};
