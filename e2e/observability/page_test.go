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
	must(t, err)
	must(t, serve.Start())
	t.Cleanup(func() { _ = serve.Process.Kill(); _ = serve.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	must(t, lab.Until(t.Context(), time.Minute, "the page shows the traffic of the bookstore", func(ctx context.Context) (bool, string, error) {
		state, err := readState(ctx, strings.Replace(strings.TrimSpace(address), "/?", "/state?", 1))
		if err != nil {
			return false, err.Error(), nil
		}
		return showsBookstore(state), fmt.Sprintf("%+v", state), nil
	}))
}

func readState(ctx context.Context, address string) (*page.State, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	state := &page.State{}
	return state, json.NewDecoder(answer.Body).Decode(state)
}

// showsBookstore reports whether every part of the state has what the bookstore has.
func showsBookstore(s *page.State) bool {
	buys, backed, evaluated := false, false, false
	for _, e := range s.Edges {
		buys = buys || e.From == "workload:bookbuyer/bookbuyer" && e.To == "service:bookstore/bookstore-v1" && e.Rate > 0 && e.MTLS && e.P99 != nil
		backed = backed || e.Backs && e.From == "service:bookstore/bookstore-v1"
	}
	for _, p := range s.Policies {
		evaluated = evaluated || p.Kind == "TrafficTarget" && p.State == "in force" && p.Allowed != nil && *p.Allowed > 0
	}
	return buys && backed && evaluated && len(s.Problems) == 0 && len(s.Sidecars) > 3 && len(s.Certificates) > 1 && len(s.Changes) > 0
}
