/** Says which runtime runs it. */
const { bun, node } = process.versions;
console.log(JSON.stringify({ version: bun ? `Bun ${bun}` : `Node ${node}` }));
