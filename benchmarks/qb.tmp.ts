import { requestBody } from "./lib/answers.ts";
import { startProgram } from "./lib/process.ts";

const upstream = await startProgram({
	name: "upstream",
	file: "upstream.ts",
	cpu: 1,
});
for (const p of [
	{ name: "bare", file: "bare-proxy.ts" },
	{ name: "studio", file: "studio.ts" },
]) {
	const s = await startProgram({
		...p,
		args: [String(upstream.ready.port)],
		cpu: 0,
	});
	for (const stream of [false, true])
		for (const connections of [64, 1]) {
			const spec = {
				port: s.ready.port,
				path: "/v1/chat/completions",
				headers: { authorization: "Bearer " + (s.ready.key ?? "x") },
				body: requestBody(stream),
				connections,
				seconds: 1,
			};
			const run = async (t) => {
				const r = await startProgram({
					name: "load",
					file: "load.ts",
					args: [JSON.stringify({ ...spec, seconds: t })],
					cpu: 1,
				});
				await r.stop();
				return r.ready as any;
			};
			await run(1.5);
			const b = s.cpu();
			const r = await run(3);
			const c = s.cpu() - b;
			console.log(
				p.name,
				stream ? "stream" : "plain",
				connections,
				(c / r.requests).toFixed(1) + "us",
				r.perSecond.toFixed(0) + "/s",
				"p50",
				r.p50.toFixed(2),
				"p99",
				r.p99.toFixed(2),
				"failed",
				r.failed,
				"rss",
				(s.memory() / 1e6).toFixed(0),
			);
		}
	await s.stop();
}
await upstream.stop();
