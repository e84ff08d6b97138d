package observability

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/cli/page"
)

// testPage reads the state that the page of the mesh shows: the traffic of the bookstore with its latencies and verdicts.
func testPage(t *testing.T) {
	program := filepath.Join(t.TempDir(), "osm")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/osm")
	build.Dir = cluster.Repository.Path()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	serve := exec.CommandContext(t.Context(), program, "dashboard", "mesh", "-b=false", "-p", "0")
	serve.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig)
	serve.Stderr = os.Stderr
	out, err := serve.StdoutPipe()
	lab.Must(t, err)
	lab.Must(t, serve.Start())
	t.Cleanup(func() { _ = serve.Process.Kill(); _ = serve.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	lab.Must(t, err)
	document := func(path string) string { return strings.Replace(strings.TrimSpace(address), "/?", path+"&", 1) }
	lab.Eventually(t, time.Minute, "the page shows the traffic of the bookstore", func(ctx context.Context) (bool, string, error) {
		state, err := read[page.State](ctx, document("/state?"))
		if err != nil {
			return false, err.Error(), nil
		}
		return showsBookstore(state), fmt.Sprintf("%+v", state), nil
	})
	lab.Eventually(t, time.Minute, "the page shows a request with its trace", func(ctx context.Context) (bool, string, error) {
		last, err := read[page.Requests](ctx, document("/requests?from=workload:bookstore/bookstore-v1&to=service:bookwarehouse/bookwarehouse"))
		if err != nil {
			return false, err.Error(), nil
		}
		i := slices.IndexFunc(last.Requests, func(r page.Request) bool { return r.Server != nil && r.Status == http.StatusOK })
		if i < 0 {
			return false, fmt.Sprintf("%+v", last), nil
		}
		trace, err := read[page.Requests](ctx, document("/trace?id="+last.Requests[i].RequestID))
		if err != nil {
			return false, err.Error(), nil
		}
		return reachesBookwarehouse(trace), fmt.Sprintf("%+v", trace), nil
	})
}

// reachesBookwarehouse reports whether a trace begins at the bookbuyer and ends at the bookwarehouse.
func reachesBookwarehouse(trace *page.Requests) bool {
	accounts := map[string]bool{}
	for _, r := range trace.Requests {
		accounts[r.Account] = true
	}
	return accounts["bookbuyer/bookbuyer"] && accounts["bookstore/bookstore-v1"] && accounts["bookwarehouse/bookwarehouse"]
}

// read returns a document of the page.
func read[T any](ctx context.Context, address string) (*T, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	result := new(T)
	return result, json.NewDecoder(answer.Body).Decode(result)
}

// showsBookstore reports whether every part of the state has what the bookstore has.
func showsBookstore(s *page.State) bool {
	buys, backed, evaluated, denied := false, false, false, false
	for _, e := range s.Edges {
		buys = buys || e.From == "workload:bookbuyer/bookbuyer" && e.To == "service:bookstore/bookstore-v1" && e.Rate > 0 && e.MTLS && e.P99 != nil
		backed = backed || e.Backs && e.From == "service:bookstore/bookstore-v1"
	}
	for _, n := range s.Nodes {
		denied = denied || n.ID == "workload:bookthief/bookthief" && n.Denied
	}
	for _, p := range s.Policies {
		evaluated = evaluated || p.Kind == "TrafficTarget" && p.State == "in force" && p.Allowed != nil && *p.Allowed > 0
	}
	return buys && backed && evaluated && denied && len(s.Problems) == 0 && len(s.Sidecars) > 3 && len(s.Certificates) > 1 && len(s.Changes) > 0
}
