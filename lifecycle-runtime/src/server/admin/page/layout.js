// Layout of a graph in layers, from left to right.

/** Sizes of a step and of the space between steps. */
const STEP = { width: 176, height: 34, gap: 14, between: 74 };
/** Passes that look for an order with fewer crossings. */
const SWEEPS = 12;
/** Number of points on long edges up to which they count in the order. */
const MOST_POINTS = 4000;

/** Returns the edges without those that a longer way says as well. `before` has, for each step, the
 * steps right before it; steps are in an order in which they may run. */
function reduced(before) {
    const size = Math.ceil(before.length / 32);
    const reach = before.map(() => new Uint32Array(size));
    return before.map((list, step) => {
        const kept = [];
        // Those that run last come first, as the others may be behind them.
        for (const from of [...new Set(list)].sort((a, b) => b - a)) {
            if (reach[step][from >> 5] >>> (from & 31) & 1) continue;
            kept.push(from);
            reach[step][from >> 5] |= 1 << (from & 31);
            reach[from].forEach((bits, place) => { reach[step][place] |= bits; });
        }
        return kept;
    });
}

/** Gives each step a layer behind those of the steps before it, and no layer too many steps. */
function layered(before) {
    const widest = Math.max(10, Math.ceil(Math.sqrt(before.length) * 1.5));
    const [layers, counts] = [[], []];
    for (const list of before) {
        let layer = list.reduce((most, from) => Math.max(most, layers[from] + 1), 0);
        while ((counts[layer] ?? 0) >= widest) layer += 1;
        counts[layer] = (counts[layer] ?? 0) + 1;
        layers.push(layer);
    }
    return layers;
}

/** Returns the points of a graph, which are its steps and where long edges pass a layer, by layers,
 * with the chains of points that are its edges. */
function pointsOf(before, layerOf) {
    const points = layerOf.map((layer, step) => ({ layer, step, before: [], after: [] }));
    const spans = before.flatMap((list, to) => list.map(from => layerOf[to] - layerOf[from] - 1));
    const withPassing = spans.reduce((sum, span) => sum + span, 0) <= MOST_POINTS;
    const chains = [];
    before.forEach((list, to) => list.forEach(from => {
        const chain = [points[from]];
        for (let layer = layerOf[from] + 1; withPassing && layer < layerOf[to]; layer += 1) {
            const point = { layer, step: null, before: [], after: [] };
            points.push(point);
            chain.push(point);
        }
        chain.push(points[to]);
        for (let place = 1; place < chain.length; place += 1) {
            chain[place - 1].after.push(chain[place]);
            chain[place].before.push(chain[place - 1]);
        }
        chains.push({ from, to, chain });
    }));
    const layers = [];
    for (const point of points) (layers[point.layer] ??= []).push(point);
    return { layers, chains };
}

/** Orders each layer by the middle of its neighbours, forth and back, and keeps the best order. */
function ordered(layers) {
    const number = () => layers.forEach(layer =>
        layer.forEach((point, place) => { point.place = place; }));
    const middle = neighbours => {
        const places = neighbours.map(point => point.place).sort((a, b) => a - b);
        const half = places.length >> 1;
        return places.length % 2 ? places[half] : (places[half - 1] + places[half]) / 2;
    };
    let best = { crossings: Infinity, layers };
    number();
    for (let sweep = 0; sweep < SWEEPS && best.crossings > 0; sweep += 1) {
        const side = sweep % 2 ? "after" : "before";
        const order = sweep % 2 ? [...layers].reverse() : layers;
        for (const layer of order) {
            for (const point of layer) {
                point.wish = point[side].length ? middle(point[side]) : point.place;
            }
            layer.sort((a, b) => a.wish - b.wish || a.place - b.place);
            layer.forEach((point, place) => { point.place = place; });
        }
        const crossings = layers.reduce((sum, layer) => sum + crossingsBehind(layer), 0);
        if (crossings < best.crossings) {
            best = { crossings, layers: layers.map(layer => [...layer]) };
        }
    }
    best.layers.forEach((layer, place) => { layers[place] = layer; });
    number();
}

/** Counts the crossings between a layer and the next one: pairs of edges in the wrong order. */
function crossingsBehind(layer) {
    const ends = layer.flatMap(point => point.after.map(next => next.place).sort((a, b) => a - b));
    // A tree of sums, by place.
    const tree = new Array(Math.max(0, ...ends) + 2).fill(0);
    let crossings = 0;
    ends.forEach((end, place) => {
        let upTo = 0;
        for (let at = end + 1; at > 0; at -= at & -at) upTo += tree[at];
        crossings += place - upTo;
        for (let at = end + 1; at < tree.length; at += at & -at) tree[at] += 1;
    });
    return crossings;
}

/** Gives each point its height: near the middle of its neighbours, and apart from the others. */
function placed(layers) {
    const [full, thin] = [STEP.height + STEP.gap, STEP.gap];
    const room = point => point.step === null ? thin : full;
    for (const layer of layers) {
        let y = 0;
        for (const point of layer) {
            point.y = y + room(point) / 2;
            y += room(point);
        }
        for (const point of layer) point.y -= y / 2;
    }
    for (let sweep = 0; sweep < 8; sweep += 1) {
        const side = sweep % 2 ? "after" : "before";
        for (const layer of sweep % 2 ? [...layers].reverse() : layers) {
            for (const point of layer) {
                const near = point[side].length ? point[side] : [point];
                point.wish = near.reduce((sum, other) => sum + other.y, 0) / near.length;
            }
            apart(layer, room);
        }
    }
}

/** Moves points as near to their wishes as their order and their room let them: neighbours that
 * would overlap become a block, which has the middle of its wishes. */
function apart(layer, room) {
    const blocks = [];
    for (const point of layer) {
        let block = { points: [point], size: room(point), sum: point.wish - room(point) / 2 };
        const start = each => each.sum / each.points.length;
        while (blocks.length && start(blocks.at(-1)) + blocks.at(-1).size > start(block)) {
            const last = blocks.pop();
            block = {
                points: [...last.points, ...block.points],
                size: last.size + block.size,
                sum: last.sum + block.sum - last.size * block.points.length,
            };
        }
        blocks.push(block);
    }
    for (const block of blocks) {
        let y = block.sum / block.points.length;
        for (const point of block.points) {
            point.y = y + room(point) / 2;
            y += room(point);
        }
    }
}

/** Returns the places of steps and the lines of edges. `before` has, for each step, the steps right
 * before it, which come earlier in the list. */
function laidOut(before) {
    const edges = reduced(before);
    const { layers, chains } = pointsOf(edges, layered(edges));
    ordered(layers);
    placed(layers);
    const x = point => point.layer * (STEP.width + STEP.between);
    const places = [];
    for (const point of layers.flat()) {
        if (point.step !== null) {
            places[point.step] = { x: x(point), y: point.y, layer: point.layer };
        }
    }
    const lines = chains.map(({ from, to, chain }) => {
        const points = chain.map(point => point.step === null
            ? [[x(point), point.y], [x(point) + STEP.width, point.y]] : [[x(point), point.y]]);
        points[0] = [[x(chain[0]) + STEP.width, chain[0].y]];
        return { from, to, line: curve(points.flat()) };
    });
    return { places, lines };
}

function curve(points) {
    const [[x, y], ...rest] = points;
    let [fromX, fromY] = [x, y];
    let line = `M${x} ${y.toFixed(1)}`;
    for (const [toX, toY] of rest) {
        const half = (toX - fromX) / 2;
        line += ` C${fromX + half} ${fromY.toFixed(1)} ${toX - half} ${toY.toFixed(1)} `
            + `${toX} ${toY.toFixed(1)}`;
        [fromX, fromY] = [toX, toY];
    }
    return line;
}
