// Reads {graph, images, format} on standard input and writes what Graphviz makes of it:
// https://viz-js.com/api/#viz.render
import { text } from "node:stream/consumers";
import { instance } from "@viz-js/viz";

const { graph, ...options } = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify((await instance()).render(graph, options)));
