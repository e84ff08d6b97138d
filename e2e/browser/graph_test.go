package browser_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// measured is what the browser drew.
type measured struct {
	// Smallest is the height of the smallest letters in pixels.
	Smallest float64 `json:"smallest"`
	// Outside is the number of nodes that are not completely in the view.
	Outside int `json:"outside"`
	// Behind are the nodes that an edge of others passes, and Overlapping those that overlap another one.
	Behind      []string `json:"behind"`
	Overlapping []string `json:"overlapping"`
}

const measure = `(() => {
  const svg = document.getElementById('graph');
  const view = document.getElementById('graph-view').getBoundingClientRect();
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  const nodes = [...svg.querySelectorAll('.node')].map((n) => ({id: n.dataset.id, box: n.querySelector('rect').getBoundingClientRect()}));
  const inside = (p, b) => p.x > b.left + 2 && p.x < b.right - 2 && p.y > b.top + 2 && p.y < b.bottom - 2;
  const behind = new Set();
  for (const edge of svg.querySelectorAll('.edge')) {
    const line = edge.querySelector('.line');
    const matrix = line.getScreenCTM();
    for (let i = 0; i <= 200; i++) {
      const p = line.getPointAtLength(line.getTotalLength() * i / 200).matrixTransform(matrix);
      for (const n of nodes) if (inside(p, n.box)) behind.add(n.id);
    }
  }
  const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  return {
    smallest: Math.min(...[...svg.querySelectorAll('text')].map((t) => parseFloat(getComputedStyle(t).fontSize) * scale)),
    outside: nodes.filter(({box}) => box.left < view.left - 1 || box.right > view.right + 1 || box.top < view.top - 1 || box.bottom > view.bottom + 1).length,
    behind: [...behind], overlapping: nodes.filter((n) => nodes.some((o) => o !== n && overlap(n.box, o.box))).map((n) => n.id),
  };
})()`

// TestGraphIsReadable measures the bookstore on a wide and on a narrow screen.
func TestGraphIsReadable(t *testing.T) {
	for _, width := range []int64{1400, 500} {
		b := open(t, recorded)
		b.run(t, chromedp.EmulateViewport(width, 900), chromedp.Reload(), ready())
		got := value(t, b, chromedp.Evaluate[measured](measure))
		if got.Smallest < 11.99 || got.Outside > 0 || len(got.Behind) > 0 || len(got.Overlapping) > 0 {
			t.Errorf("at %d pixels: %+v, want letters of 12 pixels, and nothing outside or behind a node", width, got)
		}
		if overflow := value(t, b, chromedp.Evaluate[float64](`document.documentElement.scrollWidth - document.documentElement.clientWidth`)); overflow > 0 {
			t.Errorf("at %d pixels the page is %v pixels too wide", width, overflow)
		}
	}
}

// shown returns the names of the nodes that are drawn, sorted.
func (b *tab) shown(t *testing.T) []string {
	t.Helper()
	names := value(t, b, chromedp.Evaluate[[]string](`[...document.querySelectorAll('#graph .node')].map((n) => n.dataset.id)`))
	slices.Sort(names)
	return names
}

// TestGraphIsFiltered begins without idle edges, shows them, and selects a namespace, whose neighbours remain.
func TestGraphIsFiltered(t *testing.T) {
	b := open(t, recorded)
	b.run(t, ready())
	idle := `document.querySelectorAll('#graph .edge.idle').length`
	before := value(t, b, chromedp.Evaluate[int](idle))
	b.run(t, chromedp.Click("#graph-idle"))
	if after := value(t, b, chromedp.Evaluate[int](idle)); before != 0 || after != 1 {
		t.Errorf("%d idle edges, and %d after they were selected", before, after)
	}
	if all := b.shown(t); len(all) != 8 {
		t.Fatalf("%q are drawn", all)
	}
	set := func(js string) {
		value(t, b, chromedp.Evaluate[bool](js+`.dispatchEvent(new Event('input'))`))
	}
	set(`Object.assign(document.getElementById('graph-namespace'), {value: 'bookthief'})`)
	if got := strings.Join(b.shown(t), " "); got != "service:bookstore/bookstore workload:bookstore/bookstore-v1 workload:bookstore/bookstore-v2 workload:bookthief/bookthief" {
		t.Errorf("the graph of bookthief has %s", got)
	}
	set(`Object.assign(document.getElementById('graph-namespace'), {value: ''})`)
	b.run(t, chromedp.Click("#graph-idle"))
	if class := value(t, b, chromedp.Evaluate[string](`document.querySelector('[data-id="workload:bookthief/bookthief"]').getAttribute('class')`)); !strings.Contains(class, "denied") {
		t.Errorf("bookthief has the class %q, want it in red", class)
	}
}

// TestFrameIsAsHighAsTheGraph switches idle edges on and off, and fits: each time no node is outside the frame.
func TestFrameIsAsHighAsTheGraph(t *testing.T) {
	b := open(t, recorded)
	b.run(t, chromedp.EmulateViewport(1400, 900), chromedp.Reload(), ready())
	for _, step := range []string{"#graph-idle", "#graph-idle", "#zoom-fit"} {
		b.run(t, chromedp.Click(step))
		if got := value(t, b, chromedp.Evaluate[measured](measure)); got.Outside > 0 {
			t.Errorf("after %s, %d nodes are outside the frame", step, got.Outside)
		}
	}
}

// place is where the graph is drawn.
type place struct{ X, Width float64 }

func (b *tab) place(t *testing.T) place {
	t.Helper()
	return value(t, b, chromedp.Evaluate[place](`(({x, width}) => ({X: x, Width: width}))(document.getElementById('graph').getBoundingClientRect())`))
}

// TestGraphIsZoomedAndMoved uses buttons, keys, the wheel and a drag. A later state does not undo it.
func TestGraphIsZoomedAndMoved(t *testing.T) {
	b := open(t, recorded)
	b.run(t, ready(), chromedp.ScrollIntoView("#graph-view"))
	last := b.place(t)
	differs := func(step string, changed func(before, after place) bool) {
		t.Helper()
		// The graph moves with the next frame.
		value(t, b, chromedp.Poll[bool](fmt.Sprintf(`(({x, width}) => Math.abs(x - %v) > 0.5 || Math.abs(width - %v) > 0.5)(document.getElementById('graph').getBoundingClientRect())`, last.X, last.Width)))
		now := b.place(t)
		if !changed(last, now) {
			t.Errorf("%s: the graph was at %+v and is at %+v", step, last, now)
		}
		last = now
	}
	b.run(t, chromedp.Click("#zoom-in"))
	differs("the button", func(before, after place) bool { return after.Width > 1.1*before.Width })
	b.run(t, chromedp.Focus("#graph-view"), chromedp.KeyEvent("-"))
	differs("the key -", func(before, after place) bool { return after.Width < 0.9*before.Width })
	b.run(t, chromedp.KeyEvent(kb.ArrowRight))
	differs("the arrow", func(before, after place) bool { return math.Abs(after.X-before.X+60) < 2 })
	value(t, b, chromedp.Evaluate[bool](`document.getElementById('graph-view').dispatchEvent(new WheelEvent('wheel', {deltaY: -100, bubbles: true, cancelable: true, clientX: 300, clientY: 300}))`))
	differs("the wheel", func(before, after place) bool { return after.Width > 1.05*before.Width })
	value(t, b, chromedp.Evaluate[bool](`(() => {
	  const svg = document.getElementById('graph');
	  const send = (target, type, x) => target.dispatchEvent(new PointerEvent(type, {pointerId: 1, bubbles: true, clientX: x, clientY: 300, button: 0, buttons: 1}));
	  send(svg, 'pointerdown', 300);
	  send(document, 'pointermove', 340);
	  return send(document, 'pointerup', 340);
	})()`))
	differs("the drag", func(before, after place) bool { return math.Abs(after.X-before.X-40) < 2 })
	at := b.text(t, "#at")
	value(t, b, chromedp.Poll[bool](`document.body.dataset.reads > 1`))
	if now := b.place(t); now != last {
		t.Errorf("after the next state (%s) the graph moved from %+v to %+v", at, last, now)
	}
	b.run(t, chromedp.KeyEvent("0"))
	differs("the key 0", func(before, after place) bool { return after != before })
}

// TestRequestsOfAnEdgeAreShown clicks an edge, and reads its requests and the trace of the latest one.
func TestRequestsOfAnEdgeAreShown(t *testing.T) {
	b := open(t, recorded)
	b.run(t, ready())
	value(t, b, chromedp.Evaluate[bool](`document.querySelector('#graph .edge.good').dispatchEvent(new MouseEvent('click', {bubbles: true}))`))
	b.run(t, chromedp.WaitVisible("#trace table"))
	for selector, want := range map[string][]string{
		"#requests":       {"Requests from bookbuyer/bookbuyer to bookstore/bookstore-v1"},
		"#requests-note":  {"The last requests of 10 minutes", "Some are not logged."},
		"#requests-table": {"GET /buy-a-book/new", "200", "9.0 ms", "15:04:05.000"},
		"#trace":          {"382c2bd2-c2fb-4039-afc5-8eb3492b5083", "bookwarehouse/bookwarehouse", "POST /restock-books", "receives from bookstore/bookstore-v1", "Some are not logged."},
	} {
		text := b.text(t, selector)
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s has the text %q, without %q", selector, text, part)
			}
		}
	}
	b.run(t, chromedp.Click("#requests-close"), chromedp.WaitNotVisible("#requests"))
	if found := b.errors(); len(found) > 0 {
		t.Errorf("the browser reports %v", found)
	}
}

// TestChangesOfEndpointsAreOptional uses the switch.
func TestChangesOfEndpointsAreOptional(t *testing.T) {
	b := open(t, recorded)
	b.run(t, ready())
	if text := b.text(t, "#changes-table"); strings.Contains(text, "EndpointSlice") {
		t.Errorf("the changes are %q, want those of policies", text)
	}
	b.run(t, chromedp.Click("#changes-all"))
	if text := b.text(t, "#changes-table"); !strings.Contains(text, "EndpointSlice bookstore/bookstore-a") {
		t.Errorf("with the switch the changes are %q", text)
	}
}
