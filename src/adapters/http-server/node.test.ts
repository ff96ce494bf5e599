import { httpServerContract } from "../../ports/http-server.contract.ts";
import { nodeHttpServer } from "./node.ts";

httpServerContract("node", () => nodeHttpServer());
