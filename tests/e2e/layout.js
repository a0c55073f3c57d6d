// Used by layout.py: what is wrong with the layout of the page, and where its parts are, read from the boxes that the browser has made.
what => {
    const TOLERANCE = 1.5;
    const FRAME = ".topbar, .nav, .brand, .notices";
    const box = node => node.getBoundingClientRect();
    const hidden = node => {
        for (let at = node; at && at !== document.documentElement; at = at.parentElement) {
            const style = getComputedStyle(at);
            if (style.display === "none" || style.visibility === "hidden" || style.clipPath !== "none" || style.opacity === "0") return true;
            if (at.matches(".skip, [popover]")) return true;
        }
        return false;
    };
    const seen = node => box(node).width > 0 && box(node).height > 0 && !hidden(node);
    // What is within these may be wider than what is seen of it.
    const scrolls = node => node.closest(".table-scroll, .waiting, svg, .uplot");
    const name = node => {
        const classes = typeof node.className === "string" ? node.className.trim().split(/\s+/).filter(Boolean) : [];
        const text = (node.textContent || node.getAttribute("aria-label") || "").trim().slice(0, 40);
        return `${[node.tagName.toLowerCase(), ...classes].join(".")} ${JSON.stringify(text)}`;
    };
    // Where less motion is wanted, changes of style come by transitions of no length, but a frame later.
    const still = () => document.getAnimations().filter(each => each instanceof CSSTransition).forEach(each => each.finish());
    const sideways = (inner, outer) => inner.right > outer.right + TOLERANCE || inner.left < outer.left - TOLERANCE;

    const outside = () => [...document.body.querySelectorAll("*")]
        .filter(node => (!scrolls(node) || node.matches(".table-scroll, .waiting, svg, .uplot")) && seen(node) && sideways(box(node), {left: 0, right: innerWidth}))
        .map(node => `out of the page: ${name(node)} from ${box(node).left} to ${box(node).right}`);

    const overlapping = () => {
        const parts = [...document.querySelectorAll("button, select, input, a, h1, h2, .chip, .panel, .stat")].filter(node => !scrolls(node) && seen(node));
        const found = [];
        parts.forEach((first, place) => {
            for (const second of parts.slice(place + 1)) {
                if (first.contains(second) || second.contains(first)) continue;
                // The dot of a choice lies below its own text.
                if (first.closest("label") && first.closest("label") === second.closest("label")) continue;
                // What stays in its place while the page scrolls is above it on purpose.
                if (first.closest(FRAME) !== second.closest(FRAME)) continue;
                const [a, b] = [box(first), box(second)];
                const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (wide > TOLERANCE && high > TOLERANCE) found.push(`one above another: ${name(first)} and ${name(second)}`);
            }
        });
        return found;
    };

    const texts = () => {
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const found = [];
        while (walker.nextNode()) found.push(walker.currentNode);
        return found.filter(text => {
            const owner = text.parentElement;
            return text.data.trim() && !owner.closest("option, select, script, style") && !scrolls(owner) && seen(owner);
        });
    };
    const cut = () => {
        const found = [];
        for (const text of texts()) {
            const range = document.createRange();
            range.selectNodeContents(text);
            const [at, owner] = [range.getBoundingClientRect(), text.parentElement];
            let shortened = false;
            for (let node = owner; node && node !== document.body; node = node.parentElement) {
                const [style, outer] = [getComputedStyle(node), box(node)];
                shortened ||= style.textOverflow === "ellipsis";
                const cuts = style.overflowX !== "visible" || style.overflowY !== "visible";
                if (cuts && !shortened && sideways(at, outer)) found.push(`cut off: ${name(owner)} in ${name(node)}`);
                // Letters may be a little higher than their line.
                if (cuts && style.overflowY !== "auto" && (at.bottom > outer.bottom + 3 || at.top < outer.top - 3)) found.push(`cut off: ${name(owner)} in ${name(node)}`);
                if (cuts) break;
                if (node.matches(".panel, button, .chip") && sideways(at, outer)) found.push(`runs out: ${name(owner)} of ${name(node)}`);
            }
        }
        return found;
    };

    const PARTS = ".brand, .topbar, .nav, .view-head, h1, .panel, .panel-head, .panel-title, .chart-canvas, canvas.gantt, canvas.chart-own, .waiting";
    const boxes = () => [...document.querySelectorAll(PARTS)].filter(seen).map(node => {
        const [at, kind] = [box(node), node.matches("h1, .panel-title") ? node.textContent : node.classList[0]];
        return [kind, at.left + scrollX, at.top + scrollY, at.width, at.height];
    });

    // All in one go, so that no news come between the two.
    const themes = () => {
        const root = document.documentElement.dataset;
        const before = root.theme;
        const found = ["light", "dark"].map(theme => {
            root.theme = theme;
            still();
            return boxes();
        });
        if (before === undefined) delete root.theme;
        else root.theme = before;
        still();
        return found;
    };

    const ground = () => {
        const probe = document.body.appendChild(document.createElement("span"));
        const [color, line] = ["--bg", "--line"].map(variable => {
            probe.style.color = `var(${variable})`;
            return getComputedStyle(probe).color.match(/\d+/g).slice(0, 3).map(Number);
        });
        probe.remove();
        const edges = at => [at.left, at.top, at.right, at.bottom];
        const main = box(document.querySelector(".main"));
        const panels = [...document.querySelectorAll(".panel")];
        return {
            color,
            line,
            main: [main.left, main.top, Math.min(main.right, innerWidth), Math.min(main.bottom, innerHeight)],
            panels: panels.map(box).map(edges),
            covered: [...document.querySelectorAll(".main *, .topbar, .nav, .brand, .banner, .notices")]
                .filter(node => node.matches(".panel") || (!node.closest(".panel") && !node.querySelector(".panel")))
                .map(box)
                .map(edges),
        };
    };

    still();
    return {problems: () => [...new Set([...outside(), ...overlapping(), ...cut()])], boxes, themes, ground}[what]();
}
