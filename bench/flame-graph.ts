/** A V8 CPU profile (`node --cpu-prof`): the Chrome DevTools protocol's `Profiler.Profile`. */
export interface CpuProfile {
  nodes: {
    id: number;
    callFrame: { functionName: string; url: string; lineNumber: number };
    children?: number[];
  }[];
  samples: number[];
  /** Microseconds before each sample. */
  timeDeltas: number[];
}

/** A function as it was called from the same callers; times in microseconds. */
export interface Frame {
  name: string;
  selfUs: number;
  totalUs: number;
  callees: Map<string, Frame>;
}

/** What is no work: the process waited, or V8 was between two samples. */
const IDLE = new Set(["(idle)", "(program)"]);

/** The calls of a profile as one tree; callers that are the same function on the same way are one. */
export function framesOf(profile: CpuProfile): Frame {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const callers = new Map<number, number>();
  for (const node of profile.nodes) {
    for (const child of node.children ?? []) callers.set(child, node.id);
  }
  const selfUs = new Map<number, number>();
  for (const [n, id] of profile.samples.entries()) {
    selfUs.set(id, (selfUs.get(id) ?? 0) + (profile.timeDeltas[n] ?? 0));
  }
  const root = newFrame("all");
  for (const [id, us] of selfUs) {
    const way: string[] = [];
    for (let at: number | undefined = id; at !== undefined; at = callers.get(at)) {
      const node = nodes.get(at);
      if (node !== undefined && node.callFrame.functionName !== "(root)") way.push(nameOf(node));
    }
    if (way.some((name) => IDLE.has(name))) continue;
    let frame = root;
    frame.totalUs += us;
    for (const name of way.reverse()) {
      const callee = frame.callees.get(name) ?? newFrame(name);
      frame.callees.set(name, callee);
      callee.totalUs += us;
      frame = callee;
    }
    frame.selfUs += us;
  }
  return root;
}

const newFrame = (name: string): Frame => ({ name, selfUs: 0, totalUs: 0, callees: new Map() });

/** Function and file, the file as it stands in the project or in its package. */
function nameOf({ callFrame: { functionName, url, lineNumber } }: CpuProfile["nodes"][number]) {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  const file = url.replace(/^.*\/(?:dist|node_modules)\//, "").replace(/^file:.*\//, "");
  return `${name} ${file}:${lineNumber + 1}`;
}

/** The functions in which most time was spent, wherever they were called from, as shares of all. */
export function widestFrames(root: Frame, count: number): { name: string; share: number }[] {
  const selfUs = new Map<string, number>();
  const visit = (frame: Frame) => {
    selfUs.set(frame.name, (selfUs.get(frame.name) ?? 0) + frame.selfUs);
    for (const callee of frame.callees.values()) visit(callee);
  };
  visit(root);
  return [...selfUs]
    .sort(([, one], [, other]) => other - one)
    .slice(0, count)
    .map(([name, us]) => ({ name, share: us / root.totalUs }));
}

const WIDTH = 1_400;
const ROW = 17;
/** Narrower frames are left out: nobody could read them. */
const MIN_WIDTH = 1.2;
const COLOURS: [RegExp, string][] = [
  [/ src\//, "#e8803c"],
  [/node:/, "#6fa8dc"],
  [/\.js:/, "#93c47d"],
];
const OTHER_COLOUR = "#b4a7d6";

/** An SVG that needs nothing else; a frame's title tells its name and its share. */
export function flameGraphSvg(root: Frame, title: string): string {
  const boxes: string[] = [];
  let depth = 0;
  const draw = (frame: Frame, level: number, x: number) => {
    const width = (frame.totalUs / root.totalUs) * WIDTH;
    if (width < MIN_WIDTH) return;
    depth = Math.max(depth, level);
    boxes.push(box(frame, { level, x, width, share: frame.totalUs / root.totalUs }));
    let at = x;
    for (const callee of [...frame.callees.values()].sort((a, b) => b.totalUs - a.totalUs)) {
      draw(callee, level + 1, at);
      at += (callee.totalUs / root.totalUs) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = (depth + 3) * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11"><title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="4" y="13" font-weight="bold">${escaped(title)}</text>
<g transform="translate(0 ${ROW + 4})">
${boxes.join("\n")}
</g>
</svg>
`;
}

function box(
  { name }: Frame,
  { level, x, width, share }: { level: number; x: number; width: number; share: number },
): string {
  const colour = COLOURS.find(([pattern]) => pattern.test(name))?.[1] ?? OTHER_COLOUR;
  const y = level * ROW;
  const letters = Math.floor((width - 6) / 6);
  const label =
    letters < 3
      ? ""
      : `<text x="${x.toFixed(1)}" dx="3" y="${y + 12}">${escaped(name.slice(0, letters))}</text>`;
  return `<g><title>${escaped(name)}: ${(share * 100).toFixed(1)} %</title><rect x="${x.toFixed(1)}" y="${y}" width="${(width - 0.5).toFixed(1)}" height="${ROW - 1}" rx="2" fill="${colour}"/>${label}</g>`;
}

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
