import type { Vendor } from "../../ports/vendor.ts";

export const bedrock: Vendor = {
	id: "bedrock",
	name: "Amazon Bedrock",
	// Its OpenAI-compatible layers know some of its models only: Converse knows all that chat.
	bases: {
		"bedrock-converse": "https://bedrock-runtime.{region}.amazonaws.com",
	},
	parameters: { region: { names: ["AWS_REGION", "AWS_DEFAULT_REGION"] } },
	keyNames: ["AWS_BEARER_TOKEN_BEDROCK"],
	auth: "bearer",
	credentials: { of: "signing-keys", service: "bedrock" },
	priceId: "aws",
	source:
		"https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html",
};
