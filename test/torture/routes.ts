import { readBooks } from "../support/books.ts";
import { goodAnswer, row, startVendors } from "../support/routed.ts";
import { mustBalance, openRig } from "./rig.ts";
import { must, mustEqual, type Scenario, sleep } from "./scenario.ts";

const twice = (model: string) => ({
	[`alpha/${model}`]: row("DE", { name: model }),
	[`beta/${model}`]: row("DE", { name: model }),
});

/** Milliseconds that a vendor takes where it is slow: longer than any server lives here. */
const slow = 5_000;

/** Kill -9 while calls are between two substrates: on the second, at two at once, or waiting to ask again. */
export const routes: Scenario = {
	name: "routes",
	promise:
		"After kill -9 in the middle of a fallback, a hedge or a pause every hold is resolved once, nothing is charged twice, and every decision comes to the same answer again.",
	rounds: { long: 6, short: 1 },
	async play({ random, short }) {
		const vendors = await startVendors({
			alpha: "openai-chat",
			beta: "anthropic-messages",
		});
		const dawdle =
			(protocol: "openai-chat" | "anthropic-messages") =>
			async (...[response, { body }]: Parameters<typeof answerOf>) => {
				await sleep(slow);
				if (!response.destroyed) await answerOf(response, { body }, protocol);
			};
		for (const model of ["falls", "mixed"])
			vendors.always.set(`alpha/${model}`, 500);
		vendors.always.set("beta/falls", dawdle("anthropic-messages"));
		vendors.always.set("alpha/hedged", dawdle("openai-chat"));
		vendors.always.set("beta/hedged", dawdle("anthropic-messages"));
		vendors.always.set("alpha/pauses", (response) => {
			response.writeHead(503, { "retry-after": "5" }).end("{}");
		});
		const rig = await openRig({
			config: JSON.stringify({
				retries: { hedge: { after: "50ms", outputTokens: 32 } },
				vendors: vendors.settings,
				prices: [
					{ vendor: "alpha", model: "*", prices: { input: 0.1, output: 0.2 } },
					{ vendor: "beta", model: "*", prices: { input: 1, output: 2 } },
				],
				catalogue: {
					substrates: {
						...twice("falls"),
						...twice("mixed"),
						...twice("hedged"),
						"alpha/pauses": row("DE"),
						"alpha/good": row("DE"),
					},
				},
			}),
		});
		try {
			const answered = new Map<string, number>();
			const kinds = ["falls", "hedged", "pauses", "mixed", "good"];
			const middle = new Map<string, number>();
			let moved = 0;
			const kills = short ? 2 : 4;
			for (let kill = 0; kill < kills; kill++) {
				const server = await rig.serve();
				mustEqual(
					(await rig.books()).holds,
					0,
					"Holds that a restart left open",
				);
				let alive = true;
				const clients = Array.from({ length: 15 }, async (_, index) => {
					const model = kinds[index % kinds.length] as string;
					const name = { pauses: "alpha/pauses", good: "alpha/good" }[model];
					while (alive) {
						const answer = await rig.call(server.url, {
							body: {
								model: name ?? model,
								messages: [{ role: "user", content: "hi" }],
								max_tokens: model === "hedged" ? 20 : 50,
								...(index % 2 === 0 && { stream: true }),
							},
						});
						const credits = answer.headers["x-dos-credits"];
						if (answer.whole && answer.status === 200 && credits !== undefined)
							answered.set(
								answer.headers["x-dos-call-id"] as string,
								Number(credits),
							);
						if (answer.status === 0) return;
					}
				});
				await sleep(random.between(250, 900));
				server.process.kill("SIGKILL");
				await server.ended;
				alive = false;
				await Promise.all(clients);
				const books = await readBooks(rig.dos.home);
				middle.set("open", (middle.get("open") ?? 0) + books.holds);
				moved = books.moved;
			}
			const last = await rig.serve();
			last.process.kill("SIGTERM");
			await last.ended;
			const books = await rig.books();
			mustBalance(books);
			must(books.moved > 0 && moved > 0, "No hold was moved");
			must((middle.get("open") ?? 0) >= kills * 6, "Little was under way");
			for (const [call, credits] of answered) {
				const [one] = books.resolved.get(call) ?? [];
				must(
					one?.type === "credits-settled" && one.data.amount === credits,
					`${call} was answered whole for ${credits}, and the log says ${JSON.stringify(one)}`,
				);
			}
			let charged = 0;
			for (const [one] of books.resolved.values())
				if (one?.type === "credits-settled") charged += one.data.amount;
			mustEqual(books.account.spent, charged, "What the account spent");
			const replay = await rig.dos.run("audit", "replay", "--json");
			const { ok, departures, decisions } = JSON.parse(replay.out);
			must(
				ok && departures.length === 0,
				`Decisions differ: ${JSON.stringify(departures.slice(0, 3))}`,
			);
			return `${kills} kills, ${middle.get("open")} in flight when killed, ${books.moved} holds moved, ${answered.size} answered, ${decisions} decisions run again`;
		} finally {
			await rig.close();
			await vendors.close();
		}
	},
};

type Response = Parameters<typeof goodAnswer>[0];

function answerOf(
	response: Response,
	{ body }: { readonly body: string },
	protocol: "openai-chat" | "anthropic-messages" = "openai-chat",
): Promise<void> {
	const { model, stream } = JSON.parse(body);
	return goodAnswer(response, protocol, model, stream === true);
}
