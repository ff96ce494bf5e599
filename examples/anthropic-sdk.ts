/**
 * The unmodified `@anthropic-ai/sdk` against the gateway: only the address and the key are ours.
 *
 *     DOS_KEY=dos_sk_… npx node examples/anthropic-sdk.ts
 */
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({
	baseURL: process.env.DOS_URL ?? "http://127.0.0.1:4141",
	apiKey: process.env.DOS_KEY ?? "",
});
const question = {
	model: process.env.DOS_MODEL ?? "loopback/loopback",
	messages: [
		{ role: "user" as const, content: "Say hello in one short sentence." },
	],
	max_tokens: 100,
};

const { data: answer, response } = await client.messages
	.create(question)
	.withResponse();
for (const block of answer.content) {
	if (block.type === "text") console.log(block.text);
}
console.log(
	`call ${response.headers.get("x-dos-call-id")}: ${answer.usage.input_tokens} tokens in, ${answer.usage.output_tokens} out`,
);

const stream = client.messages.stream(question);
stream.on("text", (text) => process.stdout.write(text));
const final = await stream.finalMessage();
console.log(`\nstreamed, and ended by ${final.stop_reason}`);
