import { explain } from "./errors.ts";
import { readAll, type ServerPlace, send } from "./server.ts";
import { harmless } from "./style.ts";

/** What came of a call made as a tool makes it. */
export type Trial =
	| {
			readonly works: true;
			/** Who answered: `vendor/model`. */
			readonly substrate: string;
			readonly milliseconds: number;
	  }
	| {
			readonly works: false;
			readonly code: string;
			readonly message: string;
	  };

/** OpenAI refuses less. */
const fewTokens = 16;

interface Asked {
	readonly path: string;
	readonly headers: (key: string) => Readonly<Record<string, string>>;
	readonly body: object;
}

/** The smallest call of each protocol, streamed as the tools do. */
const calls: Readonly<Record<string, (model: string) => Asked>> = {
	"anthropic-messages": (model) => ({
		path: "/v1/messages",
		headers: (key) => ({
			authorization: `Bearer ${key}`,
			"anthropic-version": "2023-06-01",
		}),
		body: {
			model,
			max_tokens: 1,
			stream: true,
			messages: [{ role: "user", content: "Hi" }],
		},
	}),
	"openai-responses": (model) => ({
		path: "/v1/responses",
		headers: (key) => ({ authorization: `Bearer ${key}` }),
		body: {
			model,
			max_output_tokens: fewTokens,
			store: false,
			stream: true,
			input: "Hi",
		},
	}),
	"google-generate": (model) => ({
		path: `/v1beta/models/${model.split("/").map(encodeURIComponent).join("/")}:streamGenerateContent?alt=sse`,
		headers: (key) => ({ "x-goog-api-key": key }),
		body: {
			contents: [{ role: "user", parts: [{ text: "Hi" }] }],
			generationConfig: { maxOutputTokens: 1 },
		},
	}),
	"openai-chat": (model) => ({
		path: "/v1/chat/completions",
		headers: (key) => ({ authorization: `Bearer ${key}` }),
		body: {
			model,
			max_completion_tokens: fewTokens,
			stream: true,
			messages: [{ role: "user", content: "Hi" }],
		},
	}),
};

/** Makes one real call of a token or a few, with a tool's own key, in its protocol. Never throws. */
export async function tryConnection(
	place: Pick<ServerPlace, "url" | "certificate">,
	tool: {
		readonly protocol: string;
		readonly key: string;
		readonly model: string;
	},
): Promise<Trial> {
	const asked = calls[tool.protocol]?.(tool.model);
	if (!asked)
		return failed("cli/internal", `No call is known for ${tool.protocol}.`);
	const begun = performance.now();
	try {
		const answer = await send(place, {
			method: "POST",
			path: asked.path,
			headers: {
				"content-type": "application/json",
				...asked.headers(tool.key),
			},
			body: new TextEncoder().encode(JSON.stringify(asked.body)),
			timeout: 60_000,
		});
		const text = (await readAll(answer)).toString("utf8");
		const error = errorIn(text);
		const substrate = answer.headers["x-dos-substrate"];
		// Whatever else may live at that address can say 200 as well.
		if (answer.statusCode !== 200 || error || substrate === undefined) {
			return failed(
				error?.code ?? "server/not-understood",
				error?.message ??
					`${place.url} answered with status ${answer.statusCode}: is a gateway there?`,
			);
		}
		return {
			works: true,
			substrate: harmless(String(substrate)),
			milliseconds: Math.round(performance.now() - begun),
		};
	} catch (thrown) {
		const { code, message } = explain(thrown).error;
		return failed(code, message);
	}
}

function failed(code: string, message: string): Trial {
	return { works: false, code, message };
}

/** The error of an answer, or of an event in the middle of a stream, in any of the protocols. */
function errorIn(
	text: string,
): { readonly code: string; readonly message: string } | undefined {
	const documents = /^\s*[{[]/.test(text)
		? [text]
		: [...text.matchAll(/^data: ?(\{.*)$/gm)].map(
				(match) => match[1] as string,
			);
	for (const document of documents) {
		let body: unknown;
		try {
			body = JSON.parse(document);
		} catch {
			continue;
		}
		const { error, response } = body as {
			error?: unknown;
			response?: { error?: unknown };
		};
		const found = error ?? response?.error;
		if (typeof found !== "object" || found === null) continue;
		const { code, type, status, message, dos, details } = found as Record<
			string,
			unknown
		>;
		const ours = [
			code,
			(dos as { code?: unknown } | undefined)?.code,
			...(Array.isArray(details)
				? details.map(
						(one: { metadata?: { code?: unknown } }) => one?.metadata?.code,
					)
				: []),
		].find((one) => typeof one === "string" && one.includes("/"));
		return {
			code: String(
				ours ?? `vendor/${String(type ?? status ?? code ?? "error")}`,
			),
			message: harmless(String(message ?? "It was refused without a reason.")),
		};
	}
	return undefined;
}
