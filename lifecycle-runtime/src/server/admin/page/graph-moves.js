// Moving, zooming and walking through the graph, by pointer and by keys.

const sizeOfGraph = () => [byId("graph").clientWidth, byId("graph").clientHeight];

/** Shows the whole graph if it stays readable, else its part that matters most. */
function fit(isForced) {
    if (!byId("graph") || graph.nodes.length === 0) return;
    const [width, height] = sizeOfGraph();
    const [xs, ys] = [graph.nodes.map(node => node.x), graph.nodes.map(node => node.y)];
    const least = list => list.reduce((a, b) => Math.min(a, b), Infinity);
    const most = list => list.reduce((a, b) => Math.max(a, b), -Infinity);
    const [left, top] = [least(xs) - 20, least(ys) - 30];
    const [right, bottom] = [most(xs) + STEP.width + 20, most(ys) + 30];
    const whole = Math.min(width / (right - left), height / (bottom - top), 1.2);
    const scale = isForced ? Math.max(whole, SMALLEST) : Math.max(whole, READABLE);
    const focus = graph.nodes.find(({ node }) => /\b(bad|run)\b/.test(node.getAttribute("class")))
        ?? graph.nodes[0];
    const isWhole = scale <= whole + 1e-9;
    /** Returns the middle of the view: the focus, unless there is an edge nearer. */
    const center = (from, to, size, wish) => isWhole || (to - from) * scale <= size
        ? (from + to) / 2
        : Math.min(Math.max(wish, from + size / scale / 2), to - size / scale / 2);
    const at = [
        center(left, right, width, focus.x + STEP.width / 2),
        center(top, bottom, height, focus.y),
    ];
    graph.view = { scale, x: width / 2 - at[0] * scale, y: height / 2 - at[1] * scale };
    moved();
    graph.isFitted = true;
}

/** Returns where somebody is in the graph: the step, its place in the window, and the focus. */
function placeInGraph() {
    const focused = graph.nodes.find(({ node }) => node === document.activeElement);
    const at = focused ?? graph.nodes[graph.at];
    if (!at || !graph.view) return null;
    const { scale, x, y } = graph.view;
    return { label: at.step.label, x: at.x * scale + x, y: at.y * scale + y,
        isFitted: graph.isFitted, hasFocus: focused !== undefined };
}

/** Brings the view back to where somebody was, in a graph that was built anew. */
function goBack({ label, x, y, isFitted, hasFocus }) {
    const next = graph.nodes.find(({ step }) => step.label === label);
    if (!next) {
        if (hasFocus) graph.nodes[0]?.node.focus({ preventScroll: true });
        return fit();
    }
    graph.nodes[graph.at].node.setAttribute("tabindex", "-1");
    next.node.setAttribute("tabindex", "0");
    graph.at = next.number;
    const { view } = graph;
    [view.x, view.y] = [x - next.x * view.scale, y - next.y * view.scale];
    moved();
    graph.isFitted = isFitted;
    if (hasFocus) next.node.focus({ preventScroll: true });
}

function moved() {
    graph.isFitted = false;
    const { scale, x, y } = graph.view;
    graph.layer.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
    graph.svg.classList.toggle("far", scale < 0.35);
}

/** Zooms by a factor, and keeps the point under the pointer where it is. */
function zoom(factor, at) {
    const { view } = graph;
    if (!byId("graph") || !view) return;
    const [atX, atY] = at ?? sizeOfGraph().map(size => size / 2);
    const scale = Math.min(Math.max(view.scale * factor, SMALLEST), LARGEST);
    view.x = atX - (atX - view.x) * (scale / view.scale);
    view.y = atY - (atY - view.y) * (scale / view.scale);
    view.scale = scale;
    moved();
}

/** Goes to a step, and brings it into view. */
function goTo(number) {
    const [old, next] = [graph.nodes[graph.at], graph.nodes[number]];
    if (!next) return;
    old?.node.setAttribute("tabindex", "-1");
    next.node.setAttribute("tabindex", "0");
    graph.at = number;
    const { view } = graph;
    const [width, height] = sizeOfGraph();
    const [x, y] = [next.x * view.scale + view.x, next.y * view.scale + view.y];
    const wide = STEP.width * view.scale;
    if (x < 10 || x + wide > width - 10) view.x += width / 2 - wide / 2 - x;
    if (y < 30 || y > height - 30) view.y += height / 2 - y;
    moved();
    next.node.focus({ preventScroll: true });
}

/** Returns the step in a direction: along an edge, or the next one above or below. */
function neighbour(key) {
    const at = graph.nodes[graph.at];
    const near = list => list.sort((a, b) => Math.abs(a.y - at.y) - Math.abs(b.y - at.y))[0];
    const along = graph.lines.flatMap(({ a, b }) => key === "ArrowRight" && a === at.number
        ? [graph.nodes[b]] : key === "ArrowLeft" && b === at.number ? [graph.nodes[a]] : []);
    if (along.length) return near(along).number;
    const layer = at.layer + ({ ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0);
    const others = graph.nodes.filter(node => node !== at && node.layer === layer
        && (key !== "ArrowUp" || node.y < at.y) && (key !== "ArrowDown" || node.y > at.y));
    return near(others)?.number;
}

function graphKey(event) {
    if (!event.target.closest?.("#graph")) return;
    const { key } = event;
    const node = event.target.closest("[data-number]");
    if (node) graph.at = Number(node.dataset.number);
    if (key.startsWith("Arrow")) goTo(neighbour(key));
    else if (key === "Home") goTo(0);
    else if (key === "End") goTo(graph.nodes.length - 1);
    else if (key === "+" || key === "=") zoom(1.25);
    else if (key === "-") zoom(0.8);
    else if (key === "0") fit(true);
    else if ((key === "Enter" || key === " ") && node?.dataset.hook) openPanel(node.dataset.hook);
    else return;
    event.preventDefault();
}

function graphWheel(event) {
    if (!event.target.closest?.("#graph")) return;
    event.preventDefault();
    const box = graph.svg.getBoundingClientRect();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
    const at = [event.clientX - box.left, event.clientY - box.top];
    zoom(Math.exp(-event.deltaY * lines / 400), at);
}

function graphPointer(event) {
    const { pointers } = graph;
    if (event.type === "pointerdown") {
        if (!event.target.closest?.("#graph") || event.button !== 0) return;
        pointers.set(event.pointerId, [event.clientX, event.clientY]);
        graph.dragged = 0;
        return;
    }
    const last = pointers.get(event.pointerId);
    if (!last) return;
    // The button may have been let go outside of the window.
    if (event.type !== "pointermove" || event.buttons === 0) {
        pointers.delete(event.pointerId);
        return;
    }
    const here = [event.clientX, event.clientY];
    pointers.set(event.pointerId, here);
    const [dx, dy] = [here[0] - last[0], here[1] - last[1]];
    graph.dragged += Math.abs(dx) + Math.abs(dy);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
        const apart = point => Math.hypot(point[0] - other[0], point[1] - other[1]);
        const box = graph.svg.getBoundingClientRect();
        zoom(apart(here) / Math.max(apart(last), 1),
            [(here[0] + other[0]) / 2 - box.left, (here[1] + other[1]) / 2 - box.top]);
        return;
    }
    graph.view.x += dx;
    graph.view.y += dy;
    moved();
}

/** Shows the edges of a step among those of the others. */
function lit(event) {
    const node = event.target.closest?.("#graph [data-number]");
    const number = node ? Number(node.dataset.number) : null;
    for (const { line, a, b } of graph.lines) {
        line.classList.toggle("lit", number !== null && (a === number || b === number));
    }
}
