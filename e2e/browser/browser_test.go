package browser_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/cli/page"
)

var update = flag.Bool("update", false, "write the screenshots of the documentation")

// tab is a tab of a browser.
type tab struct {
	ctx context.Context
	mu  sync.Mutex
	// failures are errors that the page caused in the browser.
	failures []string
}

// open starts the page with a source of states, and a browser that shows it.
func open(t *testing.T, read func(context.Context) (*page.State, error)) *tab {
	t.Helper()
	lab.RequireFull(t)
	handler, err := page.New(page.Source{
		Read: read, Now: time.Now,
		Requests: func(context.Context, string, string) (*page.Requests, error) { return requests(), nil },
		Trace:    func(context.Context, string) (*page.Requests, error) { return requests(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	shown := newTab(t)
	shown.run(t, chromedp.Navigate(server.URL))
	// A click during a smooth scroll misses its target.
	still := []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}
	if _, err := chromedp.Call(shown.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: still}); err != nil {
		t.Fatal(err)
	}
	return shown
}

// newTab starts a browser with an empty tab.
func newTab(t *testing.T) *tab {
	t.Helper()
	repository, err := lab.FindRepository()
	if err != nil {
		t.Fatal(err)
	}
	program, err := repository.ToolOutput(t.Context(), "./images", "chromium-path")
	if err != nil {
		t.Fatal(err)
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WindowSize(1400, 900))
	allocator, cancelAllocator := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancelAllocator)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	limited, cancelLimited := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancelLimited)
	empty := &tab{ctx: limited}
	if err := chromedp.Listen(limited, empty.observe); err != nil {
		t.Fatal(err)
	}
	return empty
}

// observe records errors.
func (b *tab) observe(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		b.failures = append(b.failures, fmt.Sprintf("%+v", event.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError || event.Type == runtime.ConsoleAPICalledTypeWarning {
			b.failures = append(b.failures, fmt.Sprint(event.Args))
		}
	}
}

func (b *tab) run(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	value(t, b, chromedp.Steps(actions...))
}

// value runs an action and returns its result.
func value[T any](t *testing.T, b *tab, action chromedp.Action[T]) T {
	t.Helper()
	result, err := chromedp.Run(b.ctx, action)
	if err != nil {
		t.Fatalf("%v; failures: %v", err, b.errors())
	}
	return result
}

func (b *tab) errors() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.failures)
}

// text returns the visible text of an element, or all text of a drawing.
func (b *tab) text(t *testing.T, selector string) string {
	t.Helper()
	return value(t, b, chromedp.Evaluate[string](fmt.Sprintf("(e => e.innerText ?? e.textContent)(document.querySelector(%q))", selector)))
}

func recorded(context.Context) (*page.State, error) { return bookstore(), nil }

func ready() chromedp.Action[chromedp.Void] { return chromedp.WaitVisible(`body[data-ready="true"]`) }

func TestPageShowsTheMesh(t *testing.T) {
	b := open(t, recorded)
	b.run(t, ready())
	for selector, want := range map[string][]string{
		"header":              {"Mesh osm", "Upgrading", "only what policies allow"},
		"#tiles":              {"5 / 6", "9.1/s", "1.0/s", "denied, of 1 client", "2", "in 20h"},
		"#rollout":            {"v0.2.0 → v0.3.0", "3 of 5 workloads"},
		"#graph":              {"bookbuyer", "5.2/s", "1.7/s, 7.8% fail", "p99 4.2 ms", "1.0/s denied", "no mTLS", "payments.example.", "com:443", "outside the mesh"},
		"#denials-table":      {"bookthief/bookthief", "deployment/bookthief", "bookstore/bookstore", "no TrafficTarget has the source", "3600"},
		"#sidecars-table":     {"bookthief-5c797ff5f4-tck47", "behind", "acknowledgement of CDS", "3s"},
		"#policies-table":     {"TrafficSplit", "not in force", "NoBackend", "5.2", "1.0"},
		"#certificates-table": {"root, active", "in 3625d", "2035-12-06"},
		"#changes-table":      {"TrafficSplit bookstore/bookstore-split", "2 of 3 acknowledged", "1 waiting", "12 ms"},
		"#conditions-table":   {"2 of 5 sidecars are outdated"},
	} {
		text := b.text(t, selector)
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s has the text %q, without %q", selector, text, part)
			}
		}
	}
	if found := b.errors(); len(found) > 0 {
		t.Errorf("the browser reports %v", found)
	}
}

// TestPageIsUsedByKeyboard reaches a node of the graph with the tab key, and reads what a screen reader announces.
func TestPageIsUsedByKeyboard(t *testing.T) {
	b := open(t, recorded)
	b.run(t, ready())
	var name string
	for range 30 {
		b.run(t, chromedp.KeyEvent("\t"))
		name = value(t, b, chromedp.Evaluate[string](`document.activeElement.getAttribute('aria-label') ?? ''`))
		if strings.HasPrefix(name, "workload") {
			break
		}
	}
	if want := "is called by"; !strings.Contains(name, "calls ") && !strings.Contains(name, want) {
		t.Fatalf("no workload of the graph is reached by the tab key: the last element is %q", name)
	}
	if announced := b.text(t, "#focus"); announced != name {
		t.Errorf("the page announces %q for %q", announced, name)
	}
	b.run(t, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#requests-table table"), chromedp.WaitVisible("#trace table"))
	if focused := value(t, b, chromedp.Evaluate[string](`document.activeElement.getAttribute('aria-label') ?? ''`)); focused != name {
		t.Errorf("the focus moved from %q to %q", name, focused)
	}
	b.run(t, chromedp.Focus("#sidecar-filter"), chromedp.KeyEvent("behind"))
	if text := b.text(t, "#sidecars-table"); !strings.Contains(text, "bookthief") || strings.Contains(text, "bookbuyer") {
		t.Errorf("with the filter %q the table has %q", "behind", text)
	}
	unlabelled := value(t, b, chromedp.Evaluate[[]string](`[...document.querySelectorAll('input, select, button, table, section, progress, svg')].filter((e) => !e.ariaLabel && !e.getAttribute('aria-labelledby') && !e.labels?.length && !(e.tagName === 'BUTTON' && e.textContent)).map((e) => e.outerHTML.slice(0, 80))`))
	if len(unlabelled) > 0 {
		t.Errorf("elements without a name for screen readers: %q", unlabelled)
	}
}

// TestPageKeepsTheLastState shows an error together with the last state when the mesh cannot be read any more, and hides it later.
func TestPageKeepsTheLastState(t *testing.T) {
	var failing atomic.Bool
	b := open(t, func(context.Context) (*page.State, error) {
		if failing.Load() {
			return nil, errors.New("the API server does not answer")
		}
		return bookstore(), nil
	})
	b.run(t, ready())
	failing.Store(true)
	b.run(t, chromedp.WaitVisible("#error"))
	if text := b.text(t, "#error"); !strings.Contains(text, "the API server does not answer") || !strings.Contains(text, "shows the last one") {
		t.Errorf("the error is %q", text)
	}
	if text := b.text(t, "#sidecars-table"); !strings.Contains(text, "bookbuyer") {
		t.Errorf("the last state is gone: %q", text)
	}
	failing.Store(false)
	b.run(t, chromedp.WaitNotVisible("#error"))
}

// TestNamesAreText gives parts of the mesh names with markup.
func TestNamesAreText(t *testing.T) {
	const markup = `<img src=x onerror="document.title='broken'">`
	b := open(t, func(context.Context) (*page.State, error) {
		s := bookstore()
		s.Sidecars[0].Text, s.Policies[0].Message, s.Nodes[0].Name, s.Mesh.Reason, s.Problems = markup, markup, markup, markup, []string{markup}
		return s, nil
	})
	b.run(t, ready())
	images := value(t, b, chromedp.Evaluate[int](`document.querySelectorAll('img').length`))
	title := value(t, b, chromedp.Title())
	if images != 0 || title != "osm · Open Service Mesh" {
		t.Errorf("%d images, and the title %q", images, title)
	}
}

// TestScreenshots takes the pictures of the documentation, in light and in dark, of a wide and of a narrow screen.
func TestScreenshots(t *testing.T) {
	for _, scheme := range []string{"light", "dark"} {
		t.Run(scheme, func(t *testing.T) {
			b := open(t, recorded)
			features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
			if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
				t.Fatal(err)
			}
			if _, err := chromedp.Call(b.ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "UTC"}); err != nil {
				t.Fatal(err)
			}
			for name, width := range map[string]int64{"mesh-page-" + scheme: 1400, "mesh-page-narrow-" + scheme: 500} {
				b.run(t, chromedp.EmulateViewport(width, 900), chromedp.Reload(), ready())
				picture := value(t, b, chromedp.FullScreenshot(100))
				if len(picture) < 50_000 {
					t.Errorf("the picture %s has %d bytes: the page is empty", name, len(picture))
				}
				if !*update {
					continue
				}
				if err := os.WriteFile("../../docs/images/"+name+".png", picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
